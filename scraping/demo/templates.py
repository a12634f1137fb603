"""The gallery's pages: a small museum of people who never lived."""

from html import escape

STYLE = """
:root { --ink: #26221d; --soft: #7d7366; --paper: #f6f2ea; --card: #fffdf8; --line: #e3dbcc; --accent: #9c4a2f }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 Georgia, "Liberation Serif", serif }
header { border-bottom: 1px solid var(--line); background: var(--card) }
header div, main, footer { max-width: 1120px; margin: 0 auto; padding: 22px 28px }
header a { color: inherit; text-decoration: none }
header .name { font-size: 22px; letter-spacing: .02em }
header .motto { color: var(--soft); font-style: italic; margin-left: 14px }
h1 { font-weight: normal; font-size: 30px; line-height: 1.2; margin: 8px 0 6px }
.intro { color: var(--soft); margin: 0 0 26px; max-width: 46em }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(196px, 1fr)); gap: 22px }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 3px; padding: 10px 10px 12px;
  box-shadow: 0 1px 2px rgb(60 40 20 / .06); transition: box-shadow .2s, transform .2s }
.card:hover { box-shadow: 0 8px 22px rgb(60 40 20 / .14); transform: translateY(-2px) }
.card a { color: inherit; text-decoration: none }
.card img { display: block; width: 100%; aspect-ratio: var(--ratio, 1); object-fit: cover; object-position: 50% 20%;
  background: #eae3d5; font-size: 0 }
.card p { margin: 10px 2px 0; font-size: 14px; line-height: 1.35; display: -webkit-box; -webkit-line-clamp: 2;
  -webkit-box-orient: vertical; overflow: hidden }
nav { display: flex; justify-content: space-between; margin: 34px 0 0; color: var(--soft) }
nav a, dd a { color: var(--accent) }
.show { display: grid; grid-template-columns: minmax(0, 1.25fr) minmax(0, 1fr); gap: 44px; align-items: start }
figure.picture { margin: 0; background: var(--card); border: 1px solid var(--line); padding: 16px;
  box-shadow: 0 6px 22px rgb(60 40 20 / .10) }
figure.picture img { display: block; width: 100%; max-height: 78vh; object-fit: contain }
dl { display: grid; grid-template-columns: auto 1fr; gap: 6px 18px; margin: 22px 0 0; font-size: 15px }
dt { color: var(--soft) } dd { margin: 0 }
#more { height: 90px; display: grid; place-items: center; color: var(--soft); font-style: italic }
footer { color: var(--soft); font-size: 14px; border-top: 1px solid var(--line); margin-top: 40px }
@media (max-width: 720px) { .show { grid-template-columns: 1fr } }
"""

# Batches come as JSON when the end of the list comes into view: there is nothing here for a reader without a browser.
SCROLL = """
const grid = document.querySelector(".grid"), more = document.querySelector("#more");
let batch = 0, busy = false;
async function load() {
  if (busy) return;
  busy = true;
  const answer = await fetch(`${location.pathname}batch/${batch}.json`);
  const {cards, last} = await answer.json();
  for (const {link, picture, title} of cards) {
    const card = document.createElement("article"), anchor = document.createElement("a");
    const image = new Image(), line = document.createElement("p");
    card.className = "card"; anchor.href = link; image.src = picture; image.alt = line.textContent = title;
    anchor.append(image, line); card.append(anchor); grid.append(card);
  }
  batch += 1; busy = false;
  if (last) { watch.disconnect(); more.textContent = "That is everyone."; }
  else { watch.unobserve(more); watch.observe(more); }
}
const watch = new IntersectionObserver(
  seen => seen.some(entry => entry.isIntersecting) && load(), {rootMargin: "300px"});
watch.observe(more);
"""

MOTTO = {
    "portrait": "painted busts of people who never sat for them",
    "fullbody": "drawn figures, head to shoe",
    "fashion": "models in streets that do not exist",
}
RATIO = {"portrait": "1", "fullbody": "1 / 2", "fashion": "2 / 3"}


def page(title: str, corpus: str, body: str, head: str = "") -> str:
    """Frame a page; `title` is escaped here, `body` and `head` are HTML."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{escape(title)}</title>
<link rel="stylesheet" href="/style.css">
{head}</head>
<body style="--ratio: {RATIO[corpus]}">
<header><div>
<a href="/"><span class="name">The Dramatis Gallery</span><span class="motto">{MOTTO[corpus]}</span></a>
</div></header>
<main>
{body}
</main>
<footer>Everyone shown here was rendered by code. Works carry their own licence; see each work's page.</footer>
</body>
</html>
"""


def card(link: str, picture: str, title: str) -> str:
    shown = escape(title)
    return (
        f'<article class="card"><a href="{escape(link)}"><img src="{escape(picture)}" alt="{shown}" loading="lazy">'
        f"<p>{shown}</p></a></article>"
    )


def listing(corpus: str, cards: list[str], number: int, last: int) -> str:
    """Build one page of a paged listing."""
    earlier = f'<a rel="prev" href="{listing_path(corpus, number - 1)}">&larr; Earlier</a>'
    later = f'<a rel="next" href="{listing_path(corpus, number + 1)}">Later &rarr;</a>'
    before, after = earlier if number > 1 else "<span></span>", later if number < last else "<span></span>"
    body = f"""<h1>The collection</h1>
<p class="intro">Page {number} of {last}. Each work opens on a page of its own, with its maker and licence.</p>
<section class="grid">
{chr(10).join(cards)}
</section>
<nav>{before}<span>{number} / {last}</span>{after}</nav>"""
    return page(f"The collection, page {number}", corpus, body)


def listing_path(corpus: str, number: int) -> str:
    return f"/{corpus}/" if number == 1 else f"/{corpus}/page-{number}"


def endless(corpus: str) -> str:
    """Build the endless listing, which loads its cards as one scrolls."""
    body = """<h1>The collection</h1>
<p class="intro">Scroll on: the collection comes as you go.</p>
<section class="grid"></section>
<div id="more">One moment&hellip;</div>
<script src="/scroll.js"></script>"""
    return page("The collection", corpus, body)


def work(
    corpus: str, title: str, picture: str, author: str | None, licence: str | None, tags: list[str], head: str = ""
) -> str:
    """Build the page of one work."""
    rows = []
    if author:
        rows.append(f'<dt>Maker</dt><dd class="author">{escape(author)}</dd>')
    if licence:
        rows.append(f'<dt>Licence</dt><dd><a rel="license" href="{LICENCES[licence]}">{escape(licence)}</a></dd>')
    if tags:
        rows.append(f'<dt>Shows</dt><dd class="tags">{escape(", ".join(tags))}</dd>')
    body = f"""<div class="show">
<figure class="picture"><img src="{escape(picture)}" alt="{escape(title)}"></figure>
<div><h1>{escape(title)}</h1>
<dl>{"".join(rows)}</dl>
<nav><a href="/{corpus}/">&larr; The collection</a></nav></div>
</div>"""
    return page(title, corpus, body, head)


LICENCES = {
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC-BY-SA-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "CC-BY-NC-ND-4.0": "https://creativecommons.org/licenses/by-nc-nd/4.0/",
}
