"""Tables of a page."""

from collections.abc import Iterable, Sequence

from slim_internal.parts.reports.page import Markup, escape


def render(
    caption: str,
    heads: Sequence[str],
    lines: Iterable[Sequence[str]],
    *,
    fractions: Sequence[float] | None = None,
    text_columns: int = 1,
) -> Markup:
    """Returns a table.

    Args:
      caption: What it shows.
      heads: Titles of the columns.
      lines: The cells; the last of the `text_columns` first ones names the line.
      fractions: For each line the length of a bar after its cells, 0..1.
      text_columns: How many columns hold text; the others hold numbers.
    """
    numeric = ['class="number"' if i >= text_columns else "" for i in range(len(heads))]
    head = "".join(
        f'<th scope="col" {kind}>{escape(title)}</th>'
        for title, kind in zip(heads, numeric, strict=True)
    )
    if fractions is not None:
        head += '<td class="bar"></td>'
    body = ""
    for number, line in enumerate(lines):
        cells = ""
        for column, (cell, kind) in enumerate(zip(line, numeric, strict=True)):
            tag = 'th scope="row"' if column == text_columns - 1 else f"td {kind}"
            cells += f"<{tag}>{escape(cell)}</{tag.split()[0]}>"
        if fractions is not None:
            width = 100 * fractions[number]
            cells += f'<td class="bar"><span style="width:{width:.1f}%"></span></td>'
        body += f"<tr>{cells}</tr>\n"
    return Markup(
        f'<div class="scroll"><table>\n<caption>{escape(caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n"
    )
