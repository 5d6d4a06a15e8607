"""The worker process: ``python -m ftpservice.workers.process``, started by the main process."""

__all__: list[str] = []
