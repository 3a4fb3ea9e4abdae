"""A table as a small self-contained page that sorts by its columns."""

import html
from collections.abc import Mapping, Sequence

import pandas as pd

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 13px/1.45 system-ui, sans-serif; margin: 1.5em; color: #222; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: .25em .7em; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }}
th {{ position: sticky; top: 0; background: #f4f4f4; cursor: pointer; white-space: nowrap; }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }}
</style></head><body>
<p>{title} — {rows} rows; click a heading to sort.</p>{notes}
<table><thead><tr>{head}</tr></thead><tbody>
{body}
</tbody></table>
<script>
document.querySelectorAll("th").forEach((th, i) => th.addEventListener("click", () => {{
  const body = document.querySelector("tbody"), up = th.dataset.up = th.dataset.up === "1" ? "0" : "1";
  const value = row => {{ const v = row.cells[i].dataset.value ?? row.cells[i].textContent;
    return v !== "" && !isNaN(v) ? Number(v) : v; }};
  [...body.rows].sort((a, b) => {{ const x = value(a), y = value(b);
    return (x > y ? 1 : x < y ? -1 : 0) * (up === "1" ? 1 : -1); }}).forEach(row => body.append(row));
}}));
</script></body></html>
"""


def to_page(
    table: pd.DataFrame,
    title: str,
    notes: Sequence[str] = (),
    colours: Mapping[str, str] | None = None,
    picture: str = "",
) -> str:
    """HTML of a table; numbers are shown with four significant decimals and sorted by their full value.

    notes: paragraphs above it. colours: of cells with this text. picture: HTML above all.
    """
    head = "".join(f"<th>{html.escape(str(column))}</th>" for column in table.columns)
    rows = ("".join(_cell(value, colours or {}) for value in row) for row in table.itertuples(index=False, name=None))
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    above = picture + "".join(f"\n<p>{html.escape(note)}</p>" for note in notes)
    return _PAGE.format(title=html.escape(title), rows=len(table), notes=above, head=head, body=body)


def _cell(value: object, colours: Mapping[str, str]) -> str:
    if pd.isna(value):
        return "<td></td>"
    if isinstance(value, float):
        return f'<td class="number" data-value="{value!r}">{value:.4g}</td>'
    if isinstance(value, int) and not isinstance(value, bool):
        return f'<td class="number">{value}</td>'
    text = str(value)
    colour = f' style="color: {colours[text]}; font-weight: bold"' if text in colours else ""
    return f"<td{colour}>{html.escape(text)}</td>"
