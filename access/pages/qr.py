"""QR codes for an `<img>`, in the page itself: an image at its own address would have the secret in that address."""

import base64
from io import BytesIO

import qrcode
from qrcode.image.svg import SvgPathFillImage


def picture(text: str) -> str:
    """The QR code of `text` as the `data:` URL of an SVG, black on white."""
    written = BytesIO()
    qrcode.make(text, image_factory=SvgPathFillImage, border=2).save(written)
    return f"data:image/svg+xml;base64,{base64.b64encode(written.getvalue()).decode()}"
