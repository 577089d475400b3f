"""The page as one file of HTML: no scripts, nothing fetched, every text escaped."""

from html import escape

from worker.explain.sections import Body, Page, Prose, Section, Table
from worker.explain.shapes import FAINT, GROUND, INK, MUTED, OUTCOME_COLOURS, PAPER, RULE, Drawing
from worker.explain.svg import to_svg

_STYLE = f"""
*{{box-sizing:border-box}}
body{{margin:0;background:{GROUND};color:{INK};font:15px/1.5 system-ui,sans-serif}}
main{{max-width:1120px;margin:0 auto;padding:28px 20px 60px}}
header,section,footer{{background:{PAPER};border:1px solid {RULE};border-radius:10px;
padding:20px 24px;margin:0}}
header{{border-top:6px solid var(--outcome)}}
header p{{margin:6px 0 0}}
.name{{color:{MUTED};overflow-wrap:anywhere}}
h1{{font-size:26px;line-height:1.25;margin:4px 0 8px;color:var(--outcome);overflow-wrap:anywhere}}
h2{{font-size:16px;margin:0 0 12px}}
.rates{{display:grid;grid-template-columns:1fr 1fr;gap:20px;margin-top:16px}}
.rates h3,dt{{font-size:12.5px;color:{MUTED};font-weight:600;margin:0}}
.rates p{{margin:2px 0 0;font-size:14px}}
.page{{display:grid;grid-template-columns:1fr 1fr;gap:16px;margin-top:16px}}
.wide{{grid-column:1/-1}}
section{{min-width:0}}
svg{{display:block;width:100%;height:auto;font-family:system-ui,sans-serif}}
.note{{color:{MUTED};font-size:13px;margin:12px 0 0}}
table{{border-collapse:collapse;width:100%;font-size:14px}}
th{{text-align:left;color:{MUTED};font-weight:600;font-size:12.5px}}
th,td{{padding:6px 10px 6px 0;border-bottom:1px solid {RULE};overflow-wrap:anywhere}}
.number{{text-align:right;font-variant-numeric:tabular-nums}}
.strong td{{font-weight:600;color:var(--outcome)}}
ul{{margin:0;padding-left:18px}}
li{{margin:5px 0}}
footer{{margin-top:16px;font-size:12.5px;color:{MUTED}}}
dl{{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:0}}
dd{{margin:0;overflow-wrap:anywhere;font-family:ui-monospace,monospace;font-size:12px}}
a{{color:{FAINT}}}
@media(max-width:820px){{.page,.rates{{grid-template-columns:1fr}}}}
@media print{{body{{background:{PAPER}}}section{{break-inside:avoid}}}}
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def to_html(page: Page) -> str:
    """A whole document. Its own policy forbids scripts and everything from elsewhere."""
    colour = OUTCOME_COLOURS[page.outcome]
    title = escape(f"{page.name}: {page.headline}")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body style="--outcome:{colour}">
<main>
{_head(page)}
<div class="page">
{"".join(_section(section) for section in page.sections)}</div>
{_foot(page)}
</main>
</body>
</html>
"""


def _head(page: Page) -> str:
    reasons = "".join(f"<p>{escape(words)}</p>" for words in page.reasons)
    rates = "".join(
        f"<div><h3>{escape(label)}</h3><p>{escape(words)}</p></div>" for label, words in page.rates
    )
    below = f'<div class="rates">{rates}</div>' if rates else ""
    return (
        f'<header><div class="name">{escape(page.name)}</div>'
        f"<h1>{escape(page.headline)}</h1>{reasons}{below}</header>"
    )


def _section(section: Section) -> str:
    kind = ' class="wide"' if section.wide else ""
    inside = "".join(_body(body) for body in section.body)
    note = f'<p class="note">{escape(section.note)}</p>' if section.note else ""
    return f"<section{kind}><h2>{escape(section.title)}</h2>{inside}{note}</section>\n"


def _body(body: Body) -> str:
    if isinstance(body, Drawing):
        return to_svg(body)
    if isinstance(body, Prose):
        return _prose(body)
    return _table(body)


def _prose(prose: Prose) -> str:
    items = "".join(f"<li>{escape(words)}</li>" for words in prose.paragraphs)
    return f"<ul>{items}</ul>"


def _table(table: Table) -> str:
    def cell(tag: str, number: int, words: str) -> str:
        kind = ' class="number"' if number >= table.numbers else ""
        return f"<{tag}{kind}>{escape(words)}</{tag}>"

    head = "".join(cell("th", number, words) for number, words in enumerate(table.headings))
    rows = []
    for position, row in enumerate(table.rows):
        kind = ' class="strong"' if position in table.strong else ""
        cells = "".join(cell("td", number, words) for number, words in enumerate(row))
        rows.append(f"<tr{kind}>{cells}</tr>")
    top = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f"<table>{top}<tbody>{''.join(rows)}</tbody></table>"


def _foot(page: Page) -> str:
    rows = "".join(
        f"<dt>{escape(label)}</dt><dd>{escape(words)}</dd>" for label, words in page.foot
    )
    return f"<footer><dl>{rows}</dl></footer>"
