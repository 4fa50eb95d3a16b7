"""A session behind a server: `RemoteSession` has the interface of `Session`, over HTTP."""

from velostream_nb.client.session import RemoteSession

__all__ = ["RemoteSession"]
