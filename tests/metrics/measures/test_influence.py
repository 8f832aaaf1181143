"""Worked cases of influencing the order: inquiries, options and fulfilment models. Source: section 4 (j)."""

from datetime import date, datetime
from decimal import Decimal

from metrics.facts import quotes
from metrics.model.question import Question
from metrics.queries.answer import answer
from tests.support.ask_measures import ALL, built, by, halves, one, only, sale, together
from tests.support.builders import Row, customer, fx_rate
from tests.support.contact_builders import quote, quote_option

filled = only(quotes)


def option(
    quote_id: str, option_no: str, price: object, days: int | None, accepted: bool | None = None, **values: object
) -> Row:
    return quote_option(
        quote_id=quote_id, option_no=option_no, price_amount=price, lead_time_days=days, accepted=accepted, **values
    )


QUOTES = together(
    sale("O", received="2026-03-09", channel="web"),
    sale("late order", ordered_at="2026-05-02", promised_by="2026-05-20"),
    {
        "customers": [customer(service_segment="B"), customer(valid_from="2026-03-01", service_segment="A")],
        "quotes": [
            quote(quote_id="won", asked_at="2026-03-01T09:00Z", answered_at="2026-03-01T11:00Z", order_id="O"),
            quote(quote_id="lost", asked_at="2026-02-27T09:00Z", answered_at="2026-02-27T15:00Z"),
            quote(
                quote_id="later", asked_at="2026-03-01T09:00Z", answered_at="2026-03-03T09:00Z", order_id="late order"
            ),
            quote(quote_id="elsewhere", asked_at="2026-03-01T09:00Z", answered_at=None, order_id="not in our feed"),
            quote(quote_id="open", asked_at="2026-03-01T09:00Z", answered_at="2026-05-02T09:00Z"),
            quote(quote_id="young", asked_at="2026-04-10T09:00Z", answered_at="2026-04-10T10:00Z", order_id="O"),
            quote(quote_id="tomorrow", asked_at="2026-05-01T09:00Z", answered_at=None),
        ],
        "quote_options": [
            option("won", "1", 500, 7),
            option("won", "2", 620, 3, True),
            option("lost", "1", 300, 14),
            option("lost", "2", 280, 21),
            option("lost", "3", 290, None),
            option("later", "1", 200, 2, True),
            option("open", "1", 100, 2, True),
            option("young", "1", 900, 5, True),
            option("young", "2", None, 1),
        ],
    },
)


def test_share_of_answered_inquiries_and_hours_to_answer() -> None:
    """Six asked, four answered after 2, 6, 48 and 1 hours. S: 5/6 at 1 h, 2/3 at 2 h, 1/2 at 6 h; P50 is 6 h, P90 is
    not reached.
    """
    with built(**QUOTES) as connection:
        assert halves(connection, "quotes_answered") == (4, 6)
        found = one(connection, "quote_hours_p50")
        assert (found.value, found.numerator, found.denominator) == (6.0, 4, 6)
        assert one(connection, "quote_hours_p90").no_data == "not reached: too many are still open"
        # Segments as of the day asked: "lost" is of February.
        assert by(connection, "quotes_answered", "segment") == {"A": (3, 5), "B": (1, 1)}
        # Inquiries never use the channel of the resulting order. Otherwise every channel would win all of its
        # inquiries.
        assert by(connection, "quote_conversion", "channel") == {"(none)": (2, 5)}


def test_choices_offered_and_accepted() -> None:
    """Of four answered, three have two options or more; of the three at least 30 days old, two had one accepted."""
    with built(**QUOTES) as connection:
        assert halves(connection, "quotes_with_choice") == (3, 4)
        assert halves(connection, "quotes_accepted") == (2, 3)
        assert one(connection, "quotes_young").value == 1


def test_conversion_by_number_and_value() -> None:
    """Of five at least 30 days old: "won" and the one whose order is not in our feed; "later" had not ordered by as_of.

    By value, of those answered with a price: won 620 of 620 + 280 + 200.
    """
    with built(**QUOTES) as connection:
        assert halves(connection, "quote_conversion") == (2, 5)
        assert halves(connection, "value_quote_conversion") == (Decimal(620), Decimal(1100))
    with built(datetime(2026, 5, 31), **QUOTES) as connection:
        # By the end of May "later" has ordered, "open" is answered (100), and "young" (900) is old enough; "tomorrow"
        # is 30 days old.
        assert halves(connection, "quote_conversion") == (4, 7)
        assert halves(connection, "value_quote_conversion") == (Decimal(620 + 200 + 900), Decimal(1100 + 100 + 900))


def test_lead_time_options_chosen() -> None:
    with built(**QUOTES) as connection:
        assert by(connection, "lead_option_mix", "lead_time_class") == {
            "up to 3 days": (2, 3),
            "4 to 7 days": (1, 3),
            "8 to 14 days": (0, 3),
            "over 14 days": (0, 3),
            "(none)": (0, 3),
        }
        march = {"start": date(2026, 3, 1), "end": date(2026, 3, 31)}
        assert by(connection, "lead_option_mix", "lead_time_class", **march)["up to 3 days"] == (2, 2)
        assert halves(connection, "lead_option_mix") == (3, 3)


def test_price_of_a_lead_time_shorter_by_one_day() -> None:
    """won: 620 - 500 for 4 days; lost: 300 - 280 for 7. (120 + 20) / 11, not the mean of 30 and 2.86."""
    with built(**QUOTES) as connection:
        found = one(connection, "lead_day_price")
        assert (found.numerator, found.denominator, found.value) == (Decimal(140), 11, 140 / 11)


def test_r25_options_in_another_currency_are_converted_at_the_day_asked_or_left_out() -> None:
    records = together(
        sale("O"),
        {
            "quotes": [quote(quote_id="E", order_id="O"), quote(quote_id="D"), quote(quote_id="X")],
            "quote_options": [
                option("E", "1", 100, 7),
                option("D", "1", 50, 7, currency="USD"),
                option("D", "2", 70, 3, currency="EUR"),
                option("X", "1", 40, 7, currency="AED"),
            ],
            "fx_rates": [fx_rate()],
        },
    )
    with built(**records) as connection:
        # E is worth 110 USD, D its cheapest, 50 USD; X has no rate. Options in two currencies are not compared.
        assert halves(connection, "value_quote_conversion") == (Decimal(110), Decimal(160))
        assert one(connection, "lead_day_price").denominator == 0
    no_rates = frozenset(name for name in ALL if not name.startswith("fx_rates."))
    with built(mapped=no_rates, **(records | {"fx_rates": []})) as connection:
        assert (
            one(connection, "value_quote_conversion").no_data
            == "no data: more than one currency and no fx_rates feed; filter by currency"
        )
        assert halves(connection, "value_quote_conversion", where=(("currency", ("EUR",)),)) == (
            Decimal(100),
            Decimal(100),
        )


def test_fulfilment_models_as_shares_of_all_sales_orders() -> None:
    parts = [sale(f"S{n}", fulfilment_model="make_to_stock", channel="edi" if n else "web") for n in range(3)]
    records = together(
        *parts,
        sale("M", fulfilment_model="make_to_order"),
        sale("R", fulfilment_model="make_to_order", order_type="replacement"),
    )
    with built(**records) as connection:
        assert by(connection, "fulfilment_mix", "fulfilment_model") == {
            "make_to_stock": (3, 4),
            "make_to_order": (1, 4),
        }
        found = {
            (one.dimensions["channel"], one.dimensions["fulfilment_model"]): (one.numerator, one.denominator)
            for one in answer(connection, Question(("fulfilment_mix",), by=("channel", "fulfilment_model")))
        }
        assert found == {
            ("edi", "make_to_stock"): (2, 2),
            ("web", "make_to_stock"): (1, 1),
            ("(none)", "make_to_order"): (1, 1),
        }
        assert halves(connection, "fulfilment_mix", where=(("fulfilment_model", ("make_to_order",)),)) == (1, 4)


def test_quote_measures_name_the_missing_quotes_feed() -> None:
    core = frozenset(name for name in ALL if not name.startswith(("quotes.", "quote_options.")))
    with built(mapped=core, **sale("O")) as connection:
        for measure in ("quotes_answered", "quote_hours_p50", "quote_conversion", "lead_option_mix"):
            assert (one(connection, measure).value, one(connection, measure).no_data) == (None, "no feed: quotes")
