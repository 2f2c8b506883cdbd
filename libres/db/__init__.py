"""How reservations are stored and changed: models, queries, the scheduler."""

from libres.db.scheduler import Scheduler as new_scheduler

__all__ = ("new_scheduler",)
