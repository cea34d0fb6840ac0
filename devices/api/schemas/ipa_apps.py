from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from devices.api.schemas.custom_apps import AppName, FileKey, FileName, PostData
from devices.dates import whole_seconds, zulu
from devices.inputs import Body
from devices.models import LibraryItem, StoredFile
from devices.storage.files import Reservation, hosted_url

State = StoredFile.State
STATUSES = {
    State.RESERVED: ("UPLOADING", "The checksum for the IPA file is still being calculated"),
    State.UPLOADED: ("UPLOADED", "The IPA file is still being validated"),
    State.READY: ("VALIDATED", ""),
    State.DAMAGED: ("UPLOAD_FAILED", "The checksum for the IPA file does not match the expected value"),
    State.REFUSED: ("VALIDATE_FAILED", ""),
}
ABSENT: Any = Field(default=None, exclude_if=lambda value: value is None)


class IpaUpload(Body):
    filename: Annotated[FileName, Field(description="The name of the file, with its ending.")]


class IpaUploadOut(BaseModel):
    """Post a multipart form to `post_url`, with every field of `post_data`, and `file` last. Then read the status."""

    id: UUID
    filename: str
    sha256: str | None
    expires: str
    post_url: str
    post_data: PostData
    file_key: str

    @classmethod
    def of(cls, reservation: Reservation) -> "IpaUploadOut":
        file = reservation.file
        return cls.model_construct(
            id=file.uuid,
            filename=file.key.rpartition("/")[2],
            sha256=None,
            expires=zulu(reservation.expires),
            post_url=reservation.post.url,
            post_data=PostData(**reservation.post.fields),
            file_key=file.key,
        )


class IpaMetadata(BaseModel):
    app_icon: str
    app_identifier: str
    app_name: str
    app_version: str
    file_key: str
    file_size: int
    icon: str
    icon_path: str
    ipad_icon: str
    ipad_icon_path: str
    minimum_os_version: str
    supported_device_families: list[str]

    @classmethod
    def of(cls, file: StoredFile, origin: str) -> "IpaMetadata":
        icon = file.metadata["icon"] or file.metadata["ipad_icon"]
        return cls.model_construct(
            app_icon=hosted_url(icon, origin=origin) if icon else "",
            file_key=file.key,
            file_size=file.size,
            **file.metadata,
        )


class IpaUploadStatusOut(BaseModel):
    """`reason` is present until the file is verified, `metadata` afterwards."""

    metadata: IpaMetadata | None = ABSENT
    reason: str | None = ABSENT
    sha256: str | None = ABSENT
    status: str

    @classmethod
    def of(cls, file: StoredFile, origin: str) -> "IpaUploadStatusOut":
        state = State(file.state)
        status, reason = STATUSES[state]
        over = state not in {State.RESERVED, State.UPLOADED}
        return cls.model_construct(
            metadata=IpaMetadata.of(file, origin) if state == State.READY else None,
            reason=None if state == State.READY else reason or file.reason,
            sha256=file.sha256 if over else None,
            status=status,
        )


class IpaAppUpdate(Body):
    """Any subset of these. Fields that are left out stay as they are. `file_key` replaces the file."""

    file_key: FileKey = ""
    name: AppName = ""
    runs_on_iphone: bool = Field(
        default=False,
        description="Whether iPhones get the app; in a new one the file decides if no `runs_on_…` is sent.",
    )
    runs_on_ipad: bool = Field(
        default=False, description="Whether iPads get the app; in a new one the file decides if no `runs_on_…` is sent."
    )
    runs_on_tv: bool = Field(
        default=False,
        description="Whether Apple TVs get the app; in a new one the file decides if no `runs_on_…` is sent.",
    )
    active: bool = Field(default=True, description="Whether devices get the app.")

    def given(self) -> Any:
        """The fields that the caller sent."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class NewIpaApp(IpaAppUpdate):
    """If no `runs_on_…` is sent, the app runs on the families that its file names."""

    file_key: FileKey
    name: AppName


class IpaAppOut(BaseModel):
    """`file_url` downloads the file without a token, for an hour."""

    id: UUID
    name: str
    file_key: str
    active: bool
    icon: str
    ipad_icon: str
    identifier: str
    app_identifier: str
    app_name: str
    app_version: str
    supported_device_families: list[str]
    minimum_os_version: str
    file_url: str
    sha256: str
    file_size: int
    file_updated: str
    created_at: str
    updated_at: str
    runs_on_iphone: bool
    runs_on_ipad: bool
    runs_on_tv: bool
    runs_on_mac: bool = False
    runs_on_ipod: bool = False
    runs_on_watch: bool = False

    @classmethod
    def of(cls, item: LibraryItem, origin: str) -> "IpaAppOut":
        """`item` comes with its app and its file."""
        app, file = item.ipa_app, item.ipa_app.file
        read = file.metadata
        return cls.model_construct(
            id=item.uuid,
            name=item.name,
            file_key=app.file_key,
            active=item.active,
            icon=read["icon"],
            ipad_icon=read["ipad_icon"],
            identifier=read["app_identifier"],
            app_identifier=read["app_identifier"],
            app_name=read["app_name"],
            app_version=read["app_version"],
            supported_device_families=read["supported_device_families"],
            minimum_os_version=read["minimum_os_version"],
            file_url=hosted_url(file.key, origin=origin),
            sha256=file.sha256,
            file_size=file.size,
            file_updated=whole_seconds(app.file_updated),
            created_at=zulu(item.created_at),
            updated_at=zulu(item.updated_at),
            runs_on_iphone=app.runs_on_iphone,
            runs_on_ipad=app.runs_on_ipad,
            runs_on_tv=app.runs_on_tv,
            runs_on_mac=False,
            runs_on_ipod=False,
            runs_on_watch=False,
        )
