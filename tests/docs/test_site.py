"""The site of docs/: it builds without a warning, loads nothing from elsewhere, and lists all it has."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import xdomain

pytest.importorskip("mkdocs")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A built site. A broken link or anchor, a page that no menu has, and what docstrings lack are errors."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


@pytest.fixture(scope="module")
def pages(site):
    return {path.relative_to(site).as_posix(): path.read_text("utf-8") for path in site.rglob("*.html")}


def test_it_is_read_without_a_network(site, pages):
    loaded = re.compile(r"<(?:script|img|iframe|link(?! rel=\"canonical\"))[^>]*(?:src|href)=\"(?:https?:)?//[^\"]*\"")
    assert {name: loaded.findall(text) for name, text in pages.items() if loaded.search(text)} == {}
    assert "var __index" in (site / "search" / "search_index.js").read_text("utf-8")[:20]
    assert '<script src="iframe-worker.js">' in pages["index.html"]


def test_links_between_pages_lead_to_files(site, pages):
    for name, text in pages.items():
        if name == "404.html":
            continue
        for link in re.findall(r'<a [^>]*href="([^"#?:]+)["#?]', text):
            assert ((site / name).parent / link).resolve().exists(), f"{name} links to {link}"


def test_the_reference_has_every_public_name(pages):
    text = "".join(page for name, page in pages.items() if name.startswith("reference/"))
    lacking = [name for name in xdomain.__all__ if f'id="xdomain.{name}"' not in text]
    assert not lacking
    assert 'id="xdomain.sklearn.XDomainClassifier"' in text


def test_the_reference_has_every_command_and_option(pages):
    text = pages["reference/cli.html"]
    for words in ("xdomain run", "xdomain pretrain text", "xdomain units fit", "--retry-failed", "--mapping-seed"):
        assert words in text
    assert len(re.findall("<h2", text)) >= 24


def test_example_studies_are_shown_where_pages_link_to_them(pages):
    assert 'href="reference/examples.html#text-or-protein-model"' in pages["models.html"]
    names = [path.stem for path in (ROOT / "examples" / "studies").glob("*.yaml")]
    assert [name for name in names if f'id="{name}"' not in pages["reference/examples.html"]] == []


def test_links_are_called_by_the_title_of_their_page(pages):
    assert not [name for name, text in pages.items() if name != "changelog.html" and re.search(r">\w+\.md</a>", text)]


def test_llms_txt_lists_the_pages_as_markdown(site):
    text = (site / "llms.txt").read_text("utf-8")
    assert text.startswith("# xdomain\n\n> Fine-tune")
    lines = re.findall(r"(?m)^- \[(.+)\]\((.+)\): (.+)$", text)
    assert len(lines) >= 60 and len(lines) == text.count("\n- [")
    for _, place, summary in lines:
        assert (site / place).is_file()
        assert len(summary) > 10 and "](" not in summary
    for page in site.rglob("*.md"):
        for link in re.findall(r"\]\(([\w./-]+\.(?:md|html))[)#]", page.read_text("utf-8")):
            assert (page.parent / link).is_file(), f"{page} links to {link}"
    assert "## Tutorials" in text and "(tutorials/classify.md)" in text and "(reference/python.html)" in text


def test_the_readme_is_short_and_its_links_lead_somewhere():
    text = (ROOT / "README.md").read_text("utf-8")
    assert text.count("\n") <= 172
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / link).exists(), link
    assert {"<!-- ci: run -->", "<!-- ci: test -->"} <= set(text.splitlines())
