"""Every link of the pages in a folder leads to a file of it, and to a place that is there.

    python3 .ci/links.py target/site
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.anchors = [], {""}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors.update(attributes[name] for name in ("id", "name") if attributes.get(name))
        self.links += [attributes[name] for name in ("href", "src") if attributes.get(name)]


def main(folder):
    pages = {path.resolve(): Page(path.read_text()) for path in folder.rglob("*.html")}
    # One that is served for any missing page has links from the top.
    pages.pop((folder / "404.html").resolve(), None)
    dead, count = set(), 0
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            there = pages[target].anchors if target in pages else {""} if target.is_file() else set()
            count += 1
            if unquote(parts.fragment) not in there:
                dead.add(f"{path.relative_to(folder.resolve())}: {link}")
    if dead or len(pages) < 10:
        sys.exit(f"{len(dead)} dead links in {len(pages)} pages:\n" + "\n".join(sorted(dead)))
    print(f"{folder}: {len(pages)} pages, {count} links")


main(Path(sys.argv[1]))
