"""Live widgets: they pull frames on one pump per kernel, and never slow the engine."""

from velostream_nb.widgets.chart import LiveChart, chart
from velostream_nb.widgets.job_card import JobCard
from velostream_nb.widgets.pump import UiPump, ui_pump
from velostream_nb.widgets.table import LiveTable

__all__ = ["JobCard", "LiveChart", "LiveTable", "UiPump", "chart", "ui_pump"]
