from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from devices.api.schemas.self_service import ONLY_IN_SELF_SERVICE, SelfServiceFields, self_service
from devices.dates import whole_seconds, zulu
from devices.inputs import Body, Name
from devices.library.custom_apps import LONGEST_SCRIPT
from devices.models import CustomApp, LibraryItem
from devices.storage.files import Reservation, signed_url

type AppScript = Annotated[
    str, StringConstraints(strip_whitespace=False, max_length=LONGEST_SCRIPT), AfterValidator(str.rstrip)
]
# The client's name of a file, and the file's key from the answer of `…/upload`.
type FileName = Annotated[str, StringConstraints(min_length=1, max_length=255)]
type FileKey = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255),
    Field(description="The `file_key` of an uploaded file, from the answer that reserved the upload."),
]
type AppName = Annotated[Name, Field(description="The name of the app in the Library.")]
InstallType = Annotated[
    CustomApp.InstallType, Field(description="The kind of file, which must be that of its content.")
]
Enforcement = Annotated[
    CustomApp.Enforcement,
    Field(description="Install once, install again if the audit script asks for it, or only from Self Service."),
]


class PostData(BaseModel):
    """Fields of the form. Send them unchanged."""

    model_config = ConfigDict(serialize_by_alias=True)

    key: str
    algorithm: str = Field(alias="x-amz-algorithm")
    credential: str = Field(alias="x-amz-credential")
    date: str = Field(alias="x-amz-date")
    security_token: str = Field(alias="x-amz-security-token")
    policy: str
    signature: str = Field(alias="x-amz-signature")


class CustomAppUpload(Body):
    name: Annotated[FileName, Field(description="The name of the file, with its ending.")]


class CustomAppUploadOut(BaseModel):
    """Post a multipart form to `post_url`, with every field of `post_data`, and `file` last."""

    name: str
    expires: str
    post_url: str
    post_data: PostData
    file_key: str

    @classmethod
    def of(cls, reservation: Reservation) -> "CustomAppUploadOut":
        return cls.model_construct(
            name=reservation.file.name,
            expires=zulu(reservation.expires),
            post_url=reservation.post.url,
            post_data=PostData(**reservation.post.fields),
            file_key=reservation.file.key,
        )


class CustomAppUpdate(SelfServiceFields):
    """Any subset of these. Fields that are left out stay as they are. `file_key` alone replaces the file."""

    name: AppName = ""
    file_key: FileKey = ""
    install_type: InstallType = CustomApp.InstallType.PACKAGE
    install_enforcement: Enforcement = CustomApp.Enforcement.ONCE
    unzip_location: Annotated[str, StringConstraints(max_length=1000)] = Field(
        default="",
        description=(
            "The folder on the Mac into which an archive is unpacked; required for `zip`, and dropped for other types."
        ),
    )
    audit_script: AppScript = Field(
        default="",
        description=(
            "A script that says whether the app has to be installed; required for "
            "`continuously_enforce`, and refused otherwise."
        ),
    )
    preinstall_script: AppScript = Field(default="", description="A script that runs before the installation.")
    postinstall_script: AppScript = Field(default="", description="A script that runs after the installation.")
    active: bool = Field(default=True, description="Whether devices get the app.")
    restart: bool = Field(default=False, description="Whether the Mac restarts after the installation.")


class NewCustomApp(CustomAppUpdate):
    name: AppName
    file_key: FileKey
    install_type: InstallType
    install_enforcement: Enforcement


class CustomAppOut(BaseModel):
    """`file_url` downloads the file without a token, for an hour."""

    id: UUID
    name: str
    file_key: str
    install_type: str
    install_enforcement: str
    audit_script: str
    unzip_location: str
    active: bool
    restart: bool
    preinstall_script: str
    postinstall_script: str
    file_url: str
    sha256: str
    file_size: int
    file_updated: str
    created_at: str
    updated_at: str
    show_in_self_service: bool
    self_service_category_id: UUID | None = ONLY_IN_SELF_SERVICE
    self_service_recommended: bool | None = ONLY_IN_SELF_SERVICE

    @classmethod
    def of(cls, item: LibraryItem, origin: str) -> "CustomAppOut":
        """`item` comes with its app, its file and its category."""
        app, file = item.custom_app, item.custom_app.file
        return cls.model_construct(
            id=item.uuid,
            name=item.name,
            file_key=app.file_key,
            install_type=app.install_type,
            install_enforcement=app.install_enforcement,
            audit_script=app.audit_script,
            unzip_location=app.unzip_location,
            active=item.active,
            restart=app.restart,
            preinstall_script=app.preinstall_script,
            postinstall_script=app.postinstall_script,
            file_url=signed_url(file, origin=origin),
            sha256=file.sha256,
            file_size=file.size,
            file_updated=whole_seconds(app.file_updated),
            created_at=zulu(item.created_at),
            updated_at=zulu(item.updated_at),
            **self_service(item),
        )
