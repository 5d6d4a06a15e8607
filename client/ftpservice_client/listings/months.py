"""Month names in listings, in many languages."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["month_number"]

LANGUAGES = (
    "jan feb mar apr may jun jul aug sep oct nov dec",
    "january february march april may june july august september october november december",
    "jan feb mär apr mai jun jul aug sep okt nov dez",
    "januar februar märz april mai juni juli august september oktober november dezember",
    "janv févr mars avr mai juin juil août sept oct nov déc",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "jan fév mrz avr mai jui juil aoû sep oct nov déc",
    "ene feb mar abr may jun jul ago sep oct nov dic",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "gen feb mar apr mag giu lug ago set ott nov dic",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "jan fev mar abr mai jun jul ago set out nov dez",
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "gen febr març abr maig juny jul ag set oct nov des",
    "jan feb mrt apr mei jun jul aug sep okt nov dec",
    "januari februari maart april mei juni juli augustus september oktober november december",
    "jan feb mar apr maj jun jul aug sep okt nov dec",
    "jan feb mars april mai juni juli aug sep okt nov des",
    "tammi helmi maalis huhti touko kesä heinä elo syys loka marras joulu",
    "jaan veebr märts apr mai juuni juuli aug sept okt nov dets",
    "sty lut mar kwi maj cze lip sie wrz paź lis gru",
    "led úno bře dub kvě čen čec srp zář říj lis pro",
    "led úno bře dub kvě čvn čvc srp zář říj lis pro",
    "jan feb mar apr máj jún júl aug sep okt nov dec",
    "jan febr márc ápr máj jún júl aug szept okt nov dec",
    "ian feb mar apr mai iun iul aug sep oct nov dec",
    "oca şub mar nis may haz tem ağu eyl eki kas ara",
    "янв фев мар апр май июн июл авг сен окт ноя дек",
    "янв фев мар апр мая июн июл авг сен окт ноя дек",
    "січ лют бер кві тра чер лип сер вер жов лис гру",  # noqa: RUF001 - Ukrainian
)
"""The twelve months in one language or spelling each; a name stands for one month only."""


def _table() -> dict[str, int]:
    """Return numbers by name and, where that is unambiguous, by name without accented letters."""
    table: dict[str, int] = {}
    masked: dict[str, set[int]] = {}
    for language in LANGUAGES:
        for number, name in enumerate(language.split(), 1):
            assert table.setdefault(name, number) == number, name
            masked.setdefault(_mask(name), set()).add(number)
    for name, numbers in masked.items():
        if len(numbers) == 1 and name.strip("?"):
            table.setdefault(name, *numbers)
    return table


def _mask(name: str) -> str:
    return "".join(_masked(name))


def _masked(name: str) -> Iterator[str]:
    for letter in name:
        yield letter if letter.isascii() else "?"


MONTHS = _table()


def month_number(name: str) -> int:
    """Return 1 to 12; raises `ValueError`.

    A byte that is not UTF-8 (``surrogateescape``) stands for any accented letter.
    """
    folded = name.casefold().removesuffix(".")
    number = MONTHS.get(folded)
    if number is None and any("\ud800" <= letter <= "\udfff" for letter in folded):
        number = MONTHS.get(_mask(folded))
    if number is None:
        raise ValueError(f"{name!r} is not a month")
    return number
