"""The numbers of quotas, of one process or shared by several: what is settled, held and counted."""

__all__: list[str] = []
