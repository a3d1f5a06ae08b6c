"""A photo that cannot be used is called what it is, with the likely cause and what helps."""

from __future__ import annotations

import base64
import io
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from picture_helpers import SIZE, encode, file_with, quarters
from PIL import Image
from reliability import Case, documented

from mixed_data.preprocessing import ImagePreprocessor
from mixed_data.preprocessing.photo_decoding import check_photo, load_photo
from mixed_data.preprocessing.photo_problems import PhotoError
from mixed_data.readers.table import read_table


def reason_for(path: str) -> str:
    with pytest.raises(PhotoError) as caught:
        load_photo(path, SIZE, SIZE)
    return str(caught.value)


# --- paths ---------------------------------------------------------------------------------------


def beside(name: str, written: str) -> Callable[[Path], str]:
    """Return what puts a photo into a folder and gives the path as it is written in the table."""

    def write(folder: Path) -> str:
        file_with(encode("PNG"), name)(folder)
        return written.replace("FOLDER", str(folder))

    return write


ADDRESS = "an address, not a file here: nothing is fetched, so download the photos and write paths"
SEPARATE = "no such file: in one cell, separate several paths by ';'"
PICTURE = "the picture itself in place of a path: save it as a file and write the path of that"
QUOTES = "no such file: take away the quotation marks around the path"
NO_LIST = "no such file: no list of paths that can be read, so separate several paths by ';'"
WRITE_OUT = "no such file: '~' and variables are not replaced, so write the folder out"
ENCODED = "no such file: %20 and the like stand for other characters in addresses, and the file is called "
PATHS = [
    Case(
        "backslashes", "masked: write '/'", beside("p/1.png", "p\\1.png"), "no such file: a backslash separates nothing"
    ),
    Case("C:\\", "masked: of a Windows computer", beside("1.png", "C:\\p\\1.png"), "no such file: a path of a Windows"),
    *(
        Case(f"{start}...", "masked: an address; nothing is fetched", beside("1.png", f"{start}host/1.png"), ADDRESS)
        for start in ("http://", "https://", "s3://", "gs://", "ftp://", "HTTPS://", "//", "www.")
    ),
    Case(
        "file:// and a name",
        "masked: an address",
        beside("1.png", "file://p/1.png"),
        "an address, not a file here: wri",
    ),
    *(
        Case(f"{name} around the path", "masked: take them away", beside("1.png", path), QUOTES)
        for name, path in [("quotes", "'1.png'"), ("double quotes", '"1.png"'), ("curved quotes", "“1.png”")]
    ),
    Case("%20 for a blank", "masked: named", beside("a b.png", "a%20b.png"), f"{ENCODED}'a b.png'"),
    Case("%C3%BC for ü", "masked: named", beside("kü.png", "k%C3%BC.png"), f"{ENCODED}'kü.png'"),
    Case(
        "?w=200 after it", "masked: named", beside("1.png", "1.png?w=200"), "no such file: the file is called '1.png'"
    ),
    *(
        Case(name, "masked: the right name", beside(there, written), f"no such file: there is {there!r}, {why}")
        for name, there, written, why in [
            ("capitals in the ending", "1.png", "1.PNG", "and capital letters count"),
            ("capitals in the name", "Front 1.JPG", "front 1.jpg", "and capital letters count"),
            ("capitals in the folder", "Photos/1.png", "photos/1.png", "and capital letters count"),
            ("blanks in the name", "my photo.png", "my  photo .png", "which differs in blanks"),
            ("an invisible character", "1.png", "1\u200b.png", "which differs in blanks"),
            (
                "accents stored differently",
                "k\u00fc.png",
                "ku\u0308.png",
                "which differs in blanks or in how accents are",
            ),
            ("no ending", "1.jpg", "1", "so write its ending"),
            ("another ending", "1.jpeg", "1.jpg", "so write its ending"),
        ]
    ),
    Case("`~`", "masked: write it out", beside("1.png", "~/1.png"), WRITE_OUT),
    Case("a variable", "masked: write it out", beside("1.png", "$HOME/1.png"), WRITE_OUT),
    Case("a folder", "masked: a folder", beside("p/1.png", "p"), "a folder, not a file: name the photos in it"),
    Case(
        "a folder that is not there", "masked: named", beside("1.png", "p/q/1.png"), "no such file: there is no folder "
    ),
    Case("a file as folder", "masked: named", beside("p.zip", "p.zip/1.png"), "no such file: 'p.zip' is a file, not a"),
    *(
        Case(
            f"paths separated by {name}", "masked: separate them by ';'", beside("1.png", f"1.png{mark}1.png"), SEPARATE
        )
        for name, mark in [("a comma", ","), ("a bar", "|"), ("a line", "\n"), ("a blank", " "), ("a tab", "\t")]
    ),
    Case("a list without quotes", "masked: no list", beside("1.png", "[1.png, 1.png]"), NO_LIST),
    Case("a list of Postgres", "masked: no list", beside("1.png", "{1.png,1.png}"), NO_LIST),
    Case("a list of objects", "masked: no list", beside("1.png", '[{"url": "1.png"}]'), NO_LIST),
    Case("base64", "masked: the picture itself", lambda _: base64.b64encode(encode("PNG")).decode(), PICTURE),
    Case(
        "base64 of a JPEG", "masked: the picture itself", lambda _: base64.b64encode(encode("JPEG")).decode(), PICTURE
    ),
    Case("`data:`", "masked: the picture itself", lambda _: "data:image/png;base64,iVBORw0K", PICTURE),
    Case("hexadecimal", "masked: the picture itself", lambda _: encode("PNG").hex(), PICTURE),
    Case("Python's bytes", "masked: the picture itself", lambda _: str(encode("PNG")), PICTURE),
]


@documented("Paths of photos", PATHS)
def test_a_path_that_leads_nowhere_gets_its_likely_cause(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cell = case.given(tmp_path)
    table = pd.DataFrame({"front": [cell]})
    _, mask, ((warning,),) = ImagePreprocessor(["front"], size=SIZE).fit(table).transform(table)
    assert not mask.any()
    assert f": {case.expected}" in warning
    assert len(warning) < 300
    assert "; " not in warning  # which separates the warnings of a row


@pytest.mark.parametrize("case", PATHS, ids=lambda case: case.name)
def test_the_reader_keeps_what_the_cause_is_told_from(case: Case, tmp_path: Path) -> None:
    pd.DataFrame({"front": [case.given(tmp_path)] * 2, "price": [1, 2]}).to_csv(tmp_path / "rows.csv", index=False)
    table, _ = read_table(data=tmp_path / "rows.csv", images=["front"])
    _, _, warnings = ImagePreprocessor(["front"], size=SIZE).fit(table).transform(table)
    assert f": {case.expected.partition(': ')[0]}" in warnings[0][0]


def test_a_link_to_nothing_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "1.png").symlink_to(tmp_path / "none.png")
    assert reason_for(str(tmp_path / "1.png")) == "no such file: a link to a file that is not there"


def test_names_that_were_seen_are_looked_at_again_when_the_folder_changes(tmp_path: Path) -> None:
    assert reason_for(str(tmp_path / "1.PNG")) == "no such file"
    file_with(encode("PNG"), "1.png")(tmp_path)
    assert reason_for(str(tmp_path / "1.PNG")) == "no such file: there is '1.png', and capital letters count"


def test_a_photo_of_another_name_is_never_read_in_its_place(tmp_path: Path) -> None:
    file_with(encode("PNG"), "1.png")(tmp_path)
    for name in ("1.PNG", "1", "1.jpg", "%31.png"):
        with pytest.raises(PhotoError):
            check_photo(str(tmp_path / name))


# --- contents ------------------------------------------------------------------------------------


def archive() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("1.png", encode("PNG"))
    return stream.getvalue()


def raw_photo(tiffinfo: dict[int, object]) -> bytes:
    """A TIFF that begins with a thumbnail, as DNG and NEF do."""
    stream = io.BytesIO()
    Image.fromarray(quarters()).save(stream, "TIFF", tiffinfo=tiffinfo)
    return stream.getvalue()


def iso_media(*brands: bytes) -> bytes:
    return (16 + 4 * len(brands)).to_bytes(4) + b"ftyp" + brands[0] + b"\0\0\0\0" + b"".join(brands) + b"\0" * 99


SAVE = "save it as JPEG or PNG"
CONTENTS = [
    ("JPEG XL", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40), f"a JPEG XL picture: {SAVE}"),
    ("JPEG XL, bare", b"\xff\x0a" + bytes(40), f"a JPEG XL picture: {SAVE}"),
    ("JPEG 2000", lambda: encode("JPEG2000"), f"a JPEG 2000 picture: {SAVE}"),
    ("DNG", lambda: raw_photo(tiffinfo={50706: b"\1\4\0\0"}), "a RAW photo, as cameras save it: develop it"),
    ("NEF", lambda: raw_photo(tiffinfo={254: 1, 330: 8}), "a RAW photo, as cameras save it: develop it"),
    ("CR2", b"II*\0\x10\0\0\0CR\x02\0" + bytes(40), "a RAW photo, as cameras save it: develop it"),
    ("CR3", iso_media(b"crx ", b"isom"), "a RAW photo"),
    ("a video (MP4)", iso_media(b"isom", b"mp42"), "a video: save one picture of it"),
    ("a video (QuickTime)", iso_media(b"qt  "), "a video: save one picture of it"),
    ("a video (WebM)", b"\x1aE\xdf\xa3" + bytes(40), "a video: save one picture of it"),
    ("a PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF document: save its picture"),
    ("PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n", f"a PostScript drawing: {SAVE}"),
    ("SVG", b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", f"an SVG drawing: {SAVE}"),
    ("SVG without a declaration", b"\n<svg width='9'/>", f"an SVG drawing: {SAVE}"),
    ("Photoshop's own", b"8BPS\0\1", f"a Photoshop file: {SAVE}"),
    ("an icon", lambda: encode("ICO", quarters(16)), f"an icon: {SAVE}"),
    ("PCX", lambda: encode("PCX"), f"a PCX picture: {SAVE}"),
    ("PPM", lambda: encode("PPM"), f"a Netpbm picture: {SAVE}"),
    ("a ZIP", archive, "a ZIP archive or an Office file: unpack it"),
    ("an HTML error page", b"\xef\xbb\xbf<!DOCTYPE html><p>404", "a web page (HTML) in place of the picture: fetch"),
    ("HTML without a type", b"\n <HTML><body>Sign in", "a web page (HTML) in place of the picture: fetch"),
    (
        "S3's error",
        b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>",
        "an XML text in place of the picture: fetch",
    ),
    ("a JSON error", b'{"message": "not found"}', "a JSON text in place of the picture: fetch the file itself again"),
    ("a Git LFS pointer", b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer in place of the picture"),
    ("a git-annex pointer", b"/annex/objects/MD5E-s7--d.jpg\n", "a git-annex pointer in place of the picture: type"),
    ("what macOS stores beside a file", b"\0\5\x16\7\0\2\0\0Mac OS X", "what macOS stores beside a file: name the"),
    ("nothing but zeros", bytes(4096), "zeros in place of the picture, as a broken download leaves them"),
    ("a text in UTF-8", "ein Foto vom Küchenfenster".encode(), "a text, not a picture: fetch the file itself again"),
    ("no bytes", b"", "the file is empty"),
    ("unknown bytes", b"\x01\x02\x03\x04", f"not a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF picture: {SAVE}"),
]


@documented(
    "Pictures",
    [Case(f"{name}, called .jpg", "masked: called so, with what helps", *rest) for name, *rest in CONTENTS],
)
def test_a_file_that_is_no_picture_is_called_what_it_is(case: Case, tmp_path: Path) -> None:
    path = file_with(case.given)(tmp_path)
    assert reason_for(path).startswith(case.expected)
    with pytest.raises(PhotoError) as caught:
        check_photo(path)
    assert str(caught.value) == reason_for(path)


@pytest.mark.parametrize("tags", [{254: 0}, {254: 1}, {254: 2}, {}], ids=str)
def test_an_ordinary_tiff_is_no_raw_photo(tmp_path: Path, tags: dict[int, int]) -> None:
    (tmp_path / "1.tif").write_bytes(raw_photo(tiffinfo=tags))
    np.testing.assert_array_equal(load_photo(str(tmp_path / "1.tif"), SIZE, SIZE), quarters())


def test_a_reason_keeps_its_kind_when_it_goes_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(PhotoError("no such file", "there is '1.png'")))  # noqa: S301
    assert (error.kind, str(error)) == ("no such file", "no such file: there is '1.png'")


# --- HEIC ----------------------------------------------------------------------------------------


@documented(
    "Pictures",
    [
        Case(f"a HEIC photo ({brands[0].decode()}), without pillow-heif", "masked: called so, with what helps", brands)
        for brands in ([b"heic", b"mif1"], [b"mif1", b"heic"], [b"heix"], [b"msf1", b"hevc"])
    ],
)
def test_a_photo_of_an_iphone_names_the_package_that_reads_it(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    reason = reason_for(file_with(iso_media(*case.given), "1.heic")(tmp_path))
    assert reason.startswith("a HEIC picture, as iPhones save it: to read it, install pillow-heif (pip install ")


def test_avif_by_its_brands_is_no_heic(tmp_path: Path) -> None:
    content = encode("AVIF", quarters(64), quality=95)
    assert content[8:12] == b"avif"
    path = file_with(content[:8] + b"mif1" + content[12:])(tmp_path)
    assert load_photo(path, SIZE, SIZE).shape == (SIZE, SIZE, 3)
