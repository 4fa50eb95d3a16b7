"""Kernels of dashboards: they reach this server by themselves, and leave the user's own setup alone."""

from __future__ import annotations

from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from traitlets import Dict, Unicode


class OwnKernelSpecs(KernelSpecManager):
    """Only this interpreter's kernel: specs that a user has installed under the same name run another Python."""

    def _kernel_dirs_default(self) -> list[str]:
        return []


class ShippedNotebooks(AsyncLargeFileManager):  # type: ignore[misc]
    """Notebooks as they are on disk. Trust would only decide about saved outputs, which dashboards do not show."""

    def mark_trusted_cells(self, nb: Any, path: str = "") -> None:
        """Neither looks up signatures nor warns that there are none."""


class DashboardKernels(AsyncMappingKernelManager):  # type: ignore[misc]
    """Starts every kernel with the environment and in the folder that the server wants."""

    kernel_env = Dict(Unicode(), Unicode(), config=True, help="Variables added to the environment of each kernel.")
    kernel_cwd = Unicode("", config=True, help="Folder that kernels start in; empty: the notebook's.")

    async def _async_start_kernel(self, *, kernel_id: Any = None, path: Any = None, **kwargs: Any) -> str:
        kwargs["env"] = {**(kwargs.get("env") or {}), **self.kernel_env}
        if self.kernel_cwd:
            path, kwargs["cwd"] = None, self.kernel_cwd
        started: str = await super()._async_start_kernel(kernel_id=kernel_id, path=path, **kwargs)
        return started

    # a method of the base class under its public name, which looks nothing up on subclasses
    start_kernel = _async_start_kernel
