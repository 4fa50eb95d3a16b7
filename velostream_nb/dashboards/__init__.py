"""Dashboards composed of the widgets, and how Voila serves them."""

from velostream_nb.dashboards.serving import voila_config, voila_environment
from velostream_nb.dashboards.trading import TradingDashboard

__all__ = ["TradingDashboard", "voila_config", "voila_environment"]
