"""Profiles as files: the refused ones, and that stamping changes three values and no other byte."""

import plistlib
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError

from devices.library.profile_files import DEEPEST, LARGEST, UnreadableProfile, checked, description, stamped
from tests.factories.devices import PROFILE

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0">'
ID = UUID("0f0f0f0f-1111-4222-8333-444444444444")
STAMPS = {
    "PayloadIdentifier": "com.example.profile",
    "PayloadDisplayName": 'Dock & <"Finder">',
    "PayloadUUID": "0F0F0F0F-1111-4222-8333-444444444444",
}


def stamp(text: str) -> str:
    return stamped(text, identifier=STAMPS["PayloadIdentifier"], name=STAMPS["PayloadDisplayName"], uuid=ID)


def profile(inner: str) -> str:
    return f"{HEAD}<dict><key>PayloadType</key><string>Configuration</string>{inner}</dict></plist>"


def content(text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = plistlib.loads(text.encode())
    return loaded


@pytest.mark.parametrize(
    "text",
    [
        PROFILE,
        PROFILE.replace("<string>Dock</string>", "<string/>"),
        PROFILE.replace("<string>Dock</string>", "<string>Dock <!-- a > b </string> --></string >"),
        PROFILE.replace(
            "<string>Dock</string>", "<array><dict><key>PayloadUUID</key><string>x</string></dict></array>"
        ),
        PROFILE.replace("<string>Dock</string>", "<integer>7</integer>"),
        PROFILE.replace("<string>Dock</string>", "<string><![CDATA[<string>]]></string>"),
        PROFILE.replace("<key>PayloadDisplayName</key>", "<key>Payload<!-- x -->DisplayName</key>"),
        PROFILE.replace("\t<key>PayloadDisplayName</key>\n\t<string>Dock</string>\n", ""),
        PROFILE.replace("\n", "\r\n"),
        PROFILE.replace("Dock", "Dök 🍎"),
        profile(""),
        profile("<key>PayloadUUID</key><string>1</string><key>PayloadUUID</key><string>2</string>"),
    ],
)
def test_stamping_changes_three_values_and_no_other_byte(text: str) -> None:
    result = stamp(text)
    before, after = content(text), content(result)
    assert {key: after.pop(key) for key in STAMPS} == STAMPS
    assert after == {key: value for key, value in before.items() if key not in STAMPS}
    start, end = text.find("<array>\n"), text.find("</array>\n")  # PayloadContent, unchanged
    assert text[start:end] in result
    blank = stamped(result, identifier="", name="", uuid=None)
    assert blank == stamped(text, identifier="", name="", uuid=None)
    # A second stamp changes the same values as the first.
    assert stamp(result) == result


def test_bytes_around_the_stamps_stay() -> None:
    changed = stamp(PROFILE)
    for key in ("com.example.profile", 'Dock &amp; &lt;"Finder"&gt;', STAMPS["PayloadUUID"]):
        assert changed.count(f"<string>{key}</string>") == 1
    back = changed.replace("com.example.profile", "test.accuhive")
    back = back.replace('Dock &amp; &lt;"Finder"&gt;', "Dock")
    assert back.replace(STAMPS["PayloadUUID"], "11111111-2222-4333-8444-555555555555") == PROFILE


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE plist [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY a{n + 1} "{f"&a{n or str()};" * 10}">' for n in range(9))
    + "]>"
)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"x" * (LARGEST + 1), "at most"),
        (plistlib.dumps({"PayloadType": "Configuration"}, fmt=plistlib.FMT_BINARY), "binary"),
        (b"\x30\x82\x10\x00\x06\x09", "signed"),
        (b"-----BEGIN PKCS7-----\n", "signed"),
        ("é".encode("latin-1"), "UTF-8"),
        (PROFILE.encode("utf-16"), "UTF-8"),
        (PROFILE.replace("UTF-8", "ISO-8859-1").encode(), "UTF-8"),
        (b"#!/bin/zsh", "no XML"),
        (PROFILE.encode()[:-20], "no XML"),
        (b"<html></html>", "no property list"),
        (f"{HEAD}<array/></plist>".encode(), "no property list"),
        (f"{HEAD}<dict/></plist>".encode(), "no configuration profile"),
        (profile("<key>PayloadContent</key><string>x</string>").encode(), "not a list"),
        (profile("<key>PayloadContent</key><array><dict/></array>").encode(), "Payload 1 has no PayloadType"),
        (profile("<key>x</key><date>yesterday</date>").encode(), "cannot be read"),
        (profile("<key>x</key><integer>ten</integer>").encode(), "cannot be read"),
        (profile(f"<key>x</key><integer>{'9' * 5000}</integer>").encode(), "cannot be read"),
        (profile("<key>x</key><widget/>").encode(), "cannot be read"),
        (profile("<string>no key</string>").encode(), "cannot be read"),
        (profile('<key>x</key><string lang=">">y</string>').encode(), "attributes"),
        (profile(f"<key>x</key>{'<array>' * 50_000}{'</array>' * 50_000}").encode(), f"More than {DEEPEST}"),
        (f"{BOMB}<plist><dict><key>x</key><string>&a9;</string></dict></plist>".encode(), "entity"),
        (
            b'<!DOCTYPE plist [<!ENTITY x SYSTEM "file:///etc/passwd">]><plist><dict>&x;</dict></plist>',
            "entity",
        ),
        (b'<!DOCTYPE plist [<!ENTITY % x SYSTEM "http://127.0.0.1/x">%x;]><plist><dict/></plist>', "entity"),
        (PROFILE.replace("Dock", "&undefined;").encode(), "entity"),
    ],
)
def test_what_is_no_profile_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableProfile) as refusal:
        checked(data)
    ((message,),) = refusal.value.message_dict.values()
    assert reason in message
    assert list(refusal.value.message_dict) == ["file"]


def test_a_byte_order_mark_is_left_out() -> None:
    assert checked(b"\xef\xbb\xbf" + PROFILE.encode()) == PROFILE


def test_a_trail_tells_versions_apart_by_what_their_author_wrote() -> None:
    one, two = (
        stamped(PROFILE, identifier="a", name=name, uuid=uuid) for name, uuid in (("A", ID), ("B", UUID(int=7)))
    )
    (content_one, uuid_one), (content_two, uuid_two) = (description(text).split(", ") for text in (one, two))
    assert (content_one, uuid_one) == (content_two, f"PayloadUUID {STAMPS['PayloadUUID']}")
    assert uuid_one != uuid_two
    assert not description(PROFILE.replace("48", "64")).startswith(content_one)


def test_names_that_xml_cannot_hold() -> None:
    from devices.library.profile_files import check_name

    for name in ("a\x01b", "a\ufffe", "\ud800"):
        with pytest.raises(ValidationError):
            check_name(name)
    for name in ("a\tb", "Ünïcödé 🍎", "<&>"):
        check_name(name)
        assert content(stamped(PROFILE, identifier="x", name=name, uuid=ID))["PayloadDisplayName"] == name
