from datetime import date

from devices.api import openapi
from devices.api.identity import ApiRequest
from devices.api.routing import Api, Deprecation, Operation, Router
from devices.pages import reference_entries


def deprecated(deprecation: Deprecation) -> Operation:
    router = Router()
    declare = router.operation("GET", "/old", id="old", label="Old", about="Old", response=int, deprecated=deprecation)

    @declare
    def old(request: ApiRequest) -> int:
        return 1

    return router.operations[0]


def test_an_answer_says_since_when_and_until_when() -> None:
    answer = deprecated(Deprecation(since=date(2026, 5, 15), instead="new", sunset=date(2027, 6, 30))).respond(1)
    assert answer["Deprecation"] == "@1778803200"
    assert answer["Sunset"] == "Wed, 30 Jun 2027 00:00:00 GMT"


def test_without_an_end_there_is_no_sunset() -> None:
    answer = deprecated(Deprecation(since=date(2026, 5, 15), instead="new")).respond(1)
    assert "Sunset" not in answer


def test_the_document_and_the_reference_name_the_successor() -> None:
    router = Router()
    router.operations.append(deprecated(Deprecation(since=date(2026, 5, 15), instead="new")))
    document = openapi.build(Api(router)) | {"servers": [{"url": "https://accuhive.api.example.com"}]}
    assert document["paths"]["/api/v1/old"]["get"]["deprecated"] is True
    (area,) = reference_entries.areas(document)
    assert area.sections[0].entries[0].instead == "new"
