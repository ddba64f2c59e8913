"""The form as it is seen and clicked, in headless Chromium: from upload to download, and on a phone's width."""

import os
import shutil

import pytest

pytest.importorskip("gradio", reason="gradio, the extra app, is not installed")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # of playwright's own process
]
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync"]  # fmt: skip
SECONDS = 90_000
"""Milliseconds to wait for what a busy machine may take long for."""


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        words = {**os.environ, "LC_ALL": "C.UTF-8"}  # else names of files that are not ASCII cannot be uploaded
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=OPTIONS, env=words)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, app):
    """A function that opens the form in a window of some width; at the end, what it loaded and what went wrong."""
    pages, faults, loaded = [], [], []

    def opened(width):
        page = browser.new_context(viewport={"width": width, "height": 850}, accept_downloads=True).new_page()
        page.set_default_timeout(SECONDS)
        page.on("request", lambda request: loaded.append(request.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(app.url)
        page.wait_for_selector("#source")
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.context.close()
    assert faults == []
    assert [
        url for url in loaded if not url.startswith((app.url, "data:", "blob:"))
    ] == []  # nothing leaves the machine


def fits(page):
    """Whether nothing is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def choose(page, field, option):
    page.click(f"#{field} input")
    page.get_by_role("option", name=option, exact=True).click()


def upload(page, file):
    page.set_input_files("#upload input[type=file]", str(file))
    page.wait_for_selector("#guess .panel")


def test_from_the_upload_to_the_download(opened, app, data_file, tmp_path):
    page = opened(1280)
    upload(page, data_file)
    assert "Choose the domain" in page.inner_text("#guess")
    page.get_by_label("DNA or RNA").click()
    page.get_by_text("Predicts a class").wait_for()
    assert page.inner_text("#role-label .token") == "activity (guessed)"
    choose(page, "role-label", "batch")
    page.get_by_text("'batch' has 3 distinct values").wait_for()
    assert page.inner_text("#role-label .token") == "batch"  # in place of the guess
    page.click("#role-label .token-remove >> nth=0")
    choose(page, "role-label", "activity")
    page.get_by_text("'activity' has 2 distinct values").wait_for()
    page.get_by_text("More columns and options").click()
    page.get_by_label("Other options").fill("train.max_steps=20")
    page.click("#check")
    page.get_by_text("120 records can be read").wait_for()
    assert page.get_by_role("row", name="poor").count() == 1

    page.click("#onward")
    page.get_by_text(f"Data: {data_file.name}").wait_for()
    page.get_by_role("checkbox", name="scratch (the").uncheck()
    choose(page, "seeds", "1, for a first look")
    choose(page, "backbone", "./tiny")
    page.click("#start")
    page.wait_for_selector("#stop:visible")
    page.reload()  # the comparison goes on, and whoever comes sees it
    page.get_by_role("tab", name="Compare").click()
    page.wait_for_selector("#result table")
    assert page.get_by_text("Finished.").count() == 1
    assert [cell.split()[0] for cell in page.locator("#result td:first-child").all_inner_texts()] == [
        "pretrained",
        "kmer",
    ]
    assert "between kmer and pretrained" in page.inner_text("#result") or "better than" in page.inner_text("#result")
    assert page.eval_on_selector("#result img", "image => image.naturalWidth") > 300
    page.set_viewport_size({"width": 390, "height": 850})
    cells = "cells => cells.every(cell => cell.getBoundingClientRect().right < innerWidth)"
    assert page.eval_on_selector_all("#result td", cells)  # a phone shows all columns
    page.set_viewport_size({"width": 1280, "height": 850})
    with page.expect_download() as download:
        page.locator("#files a", has_text="MB").or_(page.locator("#files a", has_text="KB")).first.click()
    download.value.save_as(tmp_path / "model.zip")
    assert (tmp_path / "model.zip").read_bytes()[:2] == b"PK"

    page.click("#onward-to-predict")
    sync_api.expect(page.locator("#model input")).not_to_have_value("", timeout=SECONDS)
    page.locator("#sequences textarea").fill("GGGGCCCCGGGGCCGGCCGG\nAAAATTTTAAAATTATAATT")
    page.click("#predict")
    page.wait_for_selector("#predictions td")
    assert page.locator("#predictions tbody tr").count() == 2
    with page.expect_download() as download:
        page.locator("#predictions-file a").first.click()
    download.value.save_as(tmp_path / "predictions.csv")
    assert (tmp_path / "predictions.csv").read_text().splitlines()[0].startswith('"id","prediction"')


def test_on_a_phone_all_parts_fit(opened, app, data_file, visitor):
    page = opened(390)
    page.get_by_label("An example").click()
    page.get_by_text("Which of two binding sites comes first?").first.wait_for()
    page.click("#check")
    page.get_by_text("1,200 records can be read").wait_for()
    assert fits(page)
    page.get_by_label("Upload a file").click()
    upload(page, data_file)
    page.get_by_label("DNA or RNA").click()
    page.get_by_text("Predicts a class").wait_for()
    page.get_by_text("More columns and options").click()
    assert fits(page)
    assert page.eval_on_selector("#role-label", "field => field.clientWidth") > 250  # its words are not cut
    for name in ("Compare", "Predict", "Earlier"):
        page.get_by_role("tab", name=name).click()  # none is hidden behind a menu
        assert fits(page)


@pytest.mark.parametrize(
    ("name", "content"), [("empty.csv", b""), ("a paper (2).csv", b"%PDF-1.7 \xff"), ("x.yaml", b"a: 1")]
)
def test_a_bad_file_gets_a_message_in_the_page(opened, name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    page = opened(390)
    page.get_by_label("DNA or RNA").click()
    upload(page, tmp_path / name)
    page.wait_for_selector("#guess .panel.fault")
    assert name in page.inner_text("#guess")
    assert "Traceback" not in page.content()
    assert fits(page)
