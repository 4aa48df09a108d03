"""Writes what a classifier says of image files, for people or for programs."""

import csv
import dataclasses
import io
import json
from collections.abc import Callable, Iterable

from slim_internal.programs.classification.classifier import Guess

Answer = tuple[str, list[Guess]]  # An image file and its most likely classes.


def _text(answers: Iterable[Answer]) -> str:
    lines = []
    for path, guesses in answers:
        lines.append(path)
        lines += [f"  {guess.probability:7.2%}  {guess.name}" for guess in guesses]
    return "".join(f"{line}\n" for line in lines)


def _csv(answers: Iterable[Answer]) -> str:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["file", "rank", "class", "name", "probability"])
    for path, guesses in answers:
        for rank, guess in enumerate(guesses, start=1):
            writer.writerow([path, rank, guess.index, guess.name, f"{guess.probability:.6f}"])
    return table.getvalue()


def _json(answers: Iterable[Answer]) -> str:
    return (
        json.dumps(
            [
                {"file": path, "guesses": [dataclasses.asdict(guess) for guess in guesses]}
                for path, guesses in answers
            ],
            indent=1,
            ensure_ascii=False,
        )
        + "\n"
    )


FORMATS: dict[str, Callable[[Iterable[Answer]], str]] = {"text": _text, "csv": _csv, "json": _json}
