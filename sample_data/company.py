"""The invented company of the sample data: customers, products, carriers, segments and their targets.

Plain values and small tables. Only the counts of customers and products depend on the number of orders.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

EPOCH = date(2024, 7, 1)
"""Day 0 of the generator, a Monday. Business day n is EPOCH + n // 5 weeks + n % 5 days."""
LAST_DAY = date(2026, 6, 30)
DATA_AS_OF = datetime(2026, 6, 30, 18)
"""The declared end of the data, UTC. The clean data have no later events."""
HISTORY_FROM = date(2020, 1, 1)
"""First day of every version that never changed."""

SEGMENTS = ("A", "B", "C")

# name, zone, hours east of UTC in winter, American clock changes, a few cities
REGIONS: tuple[tuple[str, str, int, bool, tuple[str, ...]], ...] = (
    ("Central", "Europe/Berlin", 1, False, ("Kassel", "Erfurt", "Linz", "Ulm", "Bremen", "Graz")),
    ("West", "Europe/Paris", 1, False, ("Lille", "Rennes", "Gent", "Metz", "Breda", "Nantes")),
    ("North", "Europe/Helsinki", 2, False, ("Turku", "Tampere", "Oulu", "Kotka", "Vaasa", "Lahti")),
    ("South", "Europe/Madrid", 1, False, ("Vigo", "Zaragoza", "Murcia", "Burgos", "Almería", "Bilbao")),
    ("Isles", "Europe/London", 0, False, ("Leeds", "Cork", "Hull", "Swansea", "Dundee", "Derry")),
    ("Americas", "America/New_York", -5, True, ("Albany", "Trenton", "Buffalo", "Hartford", "Dayton", "Norfolk")),
)
LEGAL_FORMS = (("GmbH", "KG"), ("SARL", "BV"), ("Oy", "AB"), ("SL", "SA"), ("Ltd", "plc"), ("Inc", "LLC"))
NORTH, ISLES, AMERICAS = 2, 4, 5

CARRIERS = (
    "Hanse Linien",
    "Rhône Route",
    "Polarbeam Freight",
    "Meseta Cargo",
    "Tidewater Parcel",
    "Ironbridge Haulage",
)
PREFERRED_CARRIERS = ((0, 5), (1, 0), (2, 0), (3, 1), (4, 5), (5, 4))
"""Two carriers by region: the first carries 40 % of the consignments, the second 30 %. All carriers share the rest."""
POLARBEAM = 2

# category, base unit, typical quantity, smallest and largest price, product nouns
CATEGORIES: tuple[tuple[str, str, int, int, int, tuple[str, ...]], ...] = (
    (
        "Bearings",
        "piece",
        20,
        6,
        90,
        ("ball bearing", "roller bearing", "thrust bearing", "pillow block", "bearing sleeve"),
    ),
    ("Fasteners", "piece", 400, 1, 4, ("hex bolt", "cap screw", "lock nut", "threaded rod", "spring washer")),
    ("Hoses", "m", 60, 3, 28, ("air hose", "water hose", "hydraulic hose", "suction hose", "food hose")),
    ("Lubricants", "l", 40, 5, 36, ("gear oil", "hydraulic oil", "chain oil", "cutting fluid", "compressor oil")),
    ("Pumps", "piece", 2, 180, 940, ("gear pump", "diaphragm pump", "dosing pump", "transfer pump", "booster pump")),
    ("Seals", "piece", 120, 1, 16, ("shaft seal", "O-ring kit", "flange gasket", "piston seal", "wiper ring")),
    ("Valves", "piece", 8, 18, 240, ("ball valve", "check valve", "needle valve", "relief valve", "gate valve")),
    ("Welding", "kg", 25, 4, 42, ("solid wire", "flux-cored wire", "stick electrode", "filler rod", "brazing paste")),
)
BEARINGS, FASTENERS, SEALS = 0, 1, 5
SERVICES = (
    ("SV-INSTALL", "Installation on site", "service"),
    ("SV-CALIBR", "Calibration", "service"),
    ("FE-HANDLING", "Handling fee", "fee"),
)

STEM_HEADS = (
    "Alder", "Amber", "Birk", "Bracken", "Calder", "Castel", "Corvin", "Dorn", "Ebner", "Elm", "Farrow", "Fenn",
    "Gallow", "Garn", "Hartl", "Hazel", "Hollin", "Ilmen", "Jarn", "Kestrel", "Kirsch", "Lang", "Linden", "Maren",
    "Merlo", "Nor", "Oaken", "Oster", "Pell", "Quarr", "Raven", "Rosen", "Sandt", "Silber", "Stern", "Tarn",
    "Ulmer", "Varga", "Wald", "Yarrow",
)  # fmt: skip
STEM_TAILS = (
    "au", "bach", "berg", "brook", "by", "croft", "dal", "erie", "feld", "ford", "garth", "gate", "haven", "holm",
    "hurst", "ing", "kamp", "land", "leigh", "mark", "mond", "more", "näs", "rup", "sen", "stad", "stone", "vik",
    "ward", "wick",
)  # fmt: skip
TRADES = (
    "Tools", "Machine Works", "Dairy", "Foundry", "Hydraulics", "Printing", "Packaging", "Rail", "Marine", "Mills",
    "Timber", "Brewery", "Automation", "Energy", "Plastics", "Paper", "Ceramics", "Agritech", "Glass", "Motors",
    "Cranes", "Textiles", "Chemicals", "Optics", "Steel",
)  # fmt: skip
MANAGERS = (
    "Ines Farkas",
    "Tomas Lindahl",
    "Maud Okafor",
    "Piet Verhoeven",
    "Rana Haddad",
    "Otto Brandis",
    "Clara Nieminen",
    "Sean Dolan",
)


LEAVING_FROM = date(2025, 2, 1)
LEAVING_DAYS = 440
"""Number of days from LEAVING_FROM within which customers leave."""
NEVER = 99_999
"""Day number of events that never happen."""

PRICE_FACTORS = {"EUR": 1.0, "USD": 1.1, "GBP": 0.86, "SEK": 11.2}
"""Factor on prices in euros, by the currency of the customer."""

REPORTING_CURRENCY = "EUR"
USUAL_RATES = {"USD": 9_200, "GBP": 11_700, "SEK": 890}
"""Ten-thousandths of a euro for one unit of the currency."""
LAST_SEK_RATE = date(2025, 12, 29)
"""Last rate of the krona. Invoices in kronor have no recent rate from 2026 on."""

BUYS_IN_KRONOR = 9
"""Number of a customer who always buys in kronor, so that even small samples have one."""

BOXES = {BEARINGS: (10, 10), FASTENERS: (100, 100), SEALS: (12, 16)}
"""Pieces in a box by category: before BOXES_CHANGE, and from then on. Every second product is also sold by the box."""
BOXES_CHANGE = date(2025, 10, 1)


def boxes(category: int, place: int) -> tuple[int, int] | tuple[None, None]:
    """Return the pieces in a box before and from BOXES_CHANGE on, or (None, None) if the product has no box."""
    return BOXES[category] if category in BOXES and place % 2 == 0 else (None, None)


def currency_of(region: int, index: int, chosen: float) -> str:
    """Return the currency of a customer.

    Most of the Americas use dollars, most of the Isles pounds, and one customer in eight of the North kronor.
    """
    if region == AMERICAS:
        return "USD" if chosen < 0.8 else "EUR"
    if region == ISLES:
        return "GBP" if chosen < 0.7 else "EUR"
    return "SEK" if region == NORTH and (index == BUYS_IN_KRONOR or index % 8 == 3) else "EUR"


def contract_of(index: int, chosen: float) -> str:
    """Return the contract of a customer, or an empty string.

    The third and the sixth largest customers have a contract, and one in eight of the smaller customers.
    """
    if index == 2 or (index > 5 and chosen < 0.05):
        return "RETAIL-WINDOW"
    return "MAKER-FRAME" if index == 5 or (index > 5 and chosen < 0.125) else ""


def customer_count(orders: int) -> int:
    """Return one customer per sixty orders, but at least thirty."""
    return max(30, orders // 60)


def product_count(orders: int) -> int:
    """Return about one product per two hundred orders, from 5 to 250 in each category."""
    return len(CATEGORIES) * min(250, max(5, orders // 200 // len(CATEGORIES)))


def customer_name(index: int, region: int) -> str:
    """Return the name of a customer. The first 30,000 are distinct, and consecutive names differ clearly."""
    mixed = index * 7919 % (len(STEM_HEADS) * len(STEM_TAILS) * len(TRADES))
    head, rest = mixed % len(STEM_HEADS), mixed // len(STEM_HEADS)
    tail, trade = rest % len(STEM_TAILS), rest // len(STEM_TAILS)
    again = index // (len(STEM_HEADS) * len(STEM_TAILS) * len(TRADES))
    number = f" {again + 1}" if again else ""
    return f"{STEM_HEADS[head]}{STEM_TAILS[tail]} {TRADES[trade]}{number} {LEGAL_FORMS[region][index % 2]}"


def targets() -> Iterator[tuple[str, str, str, str]]:
    """Return rows of the targets feed: measure, scope, target, tolerance, in the measure's unit (shares 0 to 1)."""
    wanted = {
        "on_time": (("0.94", "0.98", "0.94", "0.90"), "0.02"),
        "complete": (("0.97", "0.99", "0.97", "0.95"), "0.01"),
        "damage_free": (("0.98", "0.99", "0.98", "0.97"), "0.01"),
        "filled_accurately": (("0.98", "0.99", "0.98", "0.97"), "0.01"),
        "billed_accurately": (("0.97", "0.98", "0.97", "0.96"), "0.01"),
        "perfect_order": (("0.85", "0.92", "0.85", "0.75"), "0.03"),
        "otif": (("0.90", "0.95", "0.90", "0.85"), "0.02"),
        "line_fill_first_pass": (("0.95", "0.98", "0.95", "0.92"), "0.02"),
        "unit_fill_first_pass": (("0.96", "0.98", "0.96", "0.93"), "0.02"),
        "cycle_days": (("8", "5", "8", "12"), "1"),
    }
    for measure, (values, tolerance) in wanted.items():
        for scope, value in zip(("all", *(f"segment:{segment}" for segment in SEGMENTS)), values, strict=True):
            yield measure, scope, value, tolerance
    yield from (
        ("order_fill_first_pass", "all", "0.92", "0.02"),
        ("stockout_rate", "all", "0.03", "0.01"),
        ("stockout_rate", "segment:A", "0.02", "0.01"),
        ("cycle_p95", "all", "15", "2"),
        ("cost_to_serve_order", "all", "150", "20"),
        ("ack_on_time", "all", "0.95", "0.05"),
        ("late_warned", "all", "0.60", "0.15"),
        ("info_timely", "all", "0.90", "0.05"),
        ("info_accurate", "all", "0.97", "0.01"),
        ("special_granted", "all", "0.85", "0.05"),
        ("responsiveness", "all", "0.85", "0.05"),
        ("post_sale_support", "all", "0.90", "0.05"),
        ("return_share", "all", "0.01", "0.002"),
        ("recovered_share", "all", "0.80", "0.10"),
        ("recovered_share", "segment:A", "0.95", "0.05"),
        ("quotes_answered", "all", "0.95", "0.02"),
        ("quote_conversion", "all", "0.50", "0.05"),
        ("books_agree", "all", "0.95", "0.05"),
        ("on_time", "customer:C00001", "0.97", "0.01"),
        ("otif", "customer:C00003", "0.97", "0.01"),
    )


# service_segment, defect_share_max, order_fill_min, lead_time_days_max, delivery_window, payment_terms, support_level
SERVICE_PACKAGES = (
    ("A", "0.01", "0.98", "3", "hour", "4/10 net 30", "dedicated_rep"),
    ("B", "0.10", "0.92", "7", "day", "3/10 net 30", "next_available_rep"),
    ("C", "0.15", "0.88", "14", "week", "2/10 net 30", "web"),
)

# policy_id, timing, early days, early hours, late days, late hours, under, over, claims_days, invoice_days, anchor
POLICIES = (
    ("RETAIL-WINDOW", "WINDOW", "1", "", "0", "0.5", "0", "0", "14", "5", "first_promise"),
    ("MAKER-FRAME", "DEADLINE", "", "", "1", "", "0.02", "0.05", "30", "10", "first_promise"),
)

# assumption, scope, value; other assumptions have the product's defaults
ASSUMPTIONS = (
    ("lost_k", "all", "6"),
    ("customer_years", "all", "2"),
    ("customer_years", "segment:A", "4"),
    ("wait_cost", "all", "15"),
    ("fill_back_order_cost", "all", "60"),
    ("fill_order_profit", "all", "450"),
    ("fill_investment", "all", "250000"),
    ("carrying_rate", "all", "0.18"),
)
FINE_RATE = "0.03"
"""Share of the value of late or missing goods that customers of contract RETAIL-WINDOW may deduct."""

# calendar, opening and closing hour in UTC
HOURS = (("default", 7, 17), ("ship_from", 5, 18), ("ship_to", 7, 16))
HOLIDAYS = {(1, 1), (5, 1), (10, 3), (12, 25), (12, 26)}
"""Month and day of the holidays with a fixed date."""
EASTER_HOLIDAYS = {
    date(2025, 4, 18),
    date(2025, 4, 21),
    date(2025, 5, 29),
    date(2026, 4, 3),
    date(2026, 4, 6),
    date(2026, 5, 14),
}


def working_days() -> Iterator[tuple[str, str, str, str]]:
    """Return rows of the calendars feed: each day from EPOCH to a month after LAST_DAY.

    All places are closed at weekends and on holidays.
    """
    for calendar, opens, closes in HOURS:
        on = EPOCH
        while on <= LAST_DAY + timedelta(days=31):
            closed = on.weekday() > 4 or (on.month, on.day) in HOLIDAYS or on in EASTER_HOLIDAYS
            yield (
                calendar,
                on.isoformat(),
                "" if closed else f"{on}T{opens:02d}:00:00Z",
                "" if closed else f"{on}T{closes:02d}:00:00Z",
            )
            on += timedelta(days=1)
