from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from access.models import AuditEvent
from devices.dates import zulu
from devices.inputs import CURSOR, ROWS, Query, page_size

LONGEST_PAGE = 500


def _moment(at: time) -> BeforeValidator:
    def read(value: Any) -> datetime:
        try:
            if len(value) <= len("YYYY-MM-DD"):
                moment = datetime.combine(date.fromisoformat(value), at, UTC)
            else:
                moment = datetime.fromisoformat(value)
                moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValueError("Enter a valid date/time.") from None
        return moment

    return BeforeValidator(read)


class AuditQuery(Query):
    """A date without a time means its first moment as a start, its last one as an end."""

    limit: Annotated[int, page_size(LONGEST_PAGE), Field(ge=1, le=LONGEST_PAGE)] = Field(default=100, description=ROWS)
    sort_by: Literal["occurred_at", "-occurred_at", "id", "-id"] = Field(
        default="occurred_at",
        description="Oldest first, or newest first with a `-`; `id` is the same order as `occurred_at`.",
    )
    start_date: Annotated[datetime, _moment(time.min)] | None = Field(
        default=None,
        description=(
            "Events at or after this date and time; a date alone means its first moment, and a "
            "time without a zone is UTC."
        ),
    )
    end_date: Annotated[datetime, _moment(time.max)] | None = Field(
        default=None,
        description=(
            "Events at or before this date and time; a date alone means its last moment, and a "
            "time without a zone is UTC."
        ),
    )
    cursor: str | None = Field(default=None, description=CURSOR)


class AuditEventOut(BaseModel):
    id: str
    action: str
    occurred_at: str
    actor_id: str
    actor_type: str
    target_id: str
    target_type: str
    target_component: str
    new_state: dict[str, Any] | None
    metadata: dict[str, Any] | None

    @classmethod
    def of(cls, event: AuditEvent) -> "AuditEventOut":
        return cls.model_construct(
            id=event.ulid,
            action=event.action,
            occurred_at=zulu(event.occurred_at),
            actor_id=event.actor_id,
            actor_type=event.actor_type,
            target_id=event.target_id,
            target_type=event.target_type,
            target_component=event.target_component,
            new_state=event.new_state,
            metadata=event.metadata,
        )
