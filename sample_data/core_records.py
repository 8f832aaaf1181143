"""Core records: the SQL that draws one chunk of orders with their lines, shipments and invoices.

Each draw is a hash of (key, purpose, seed). A record is therefore the same for any chunk, thread or run. Decisions use
integers, or doubles that are only added and multiplied. All machines round these in the same way.

The tables of a chunk build on each other, in the order of CHUNK_TABLES. The SELECTs of FILES write them with the column
names of the invented ERP. Promises,
holds and messages are in fulfilment.py; payments and cases are in after_delivery.py.

Column names, used in all three modules:

- k: number of the order. n: number of the line. lk: key of the line (k * 16 + n).
- cn: consignment of the order: 1 or 2, or 3 for the back order. pk: key of a line in a consignment (lk * 4 + cn).
- bk: key of an invoice (k * 4 + cn).
- d, names that end in _d: whole days since company.EPOCH.
- Names that end in _bd: business days since then, Monday to Friday. Day 0 is business day 0.
- Names that end in _s: whole seconds since then, UTC.
"""

import hashlib

from sample_data import company

AS_OF = (
    int((company.DATA_AS_OF - company.DATA_AS_OF.min).total_seconds())
    - (company.EPOCH - company.DATA_AS_OF.min.date()).days * 86400
)
LAST_DAY_NO = (company.LAST_DAY - company.EPOCH).days
LAST_DOCUMENT_DAY = LAST_DAY_NO - 1
"""Last day of documents. A bare date means the end of its day, so documents of LAST_DAY would be after DATA_AS_OF."""


def day(year: int, month: int, day_of_month: int) -> int:
    """Return the day number of a calendar day."""
    return (company.EPOCH.replace(year=year, month=month, day=day_of_month) - company.EPOCH).days


def macros(seed: int) -> str:
    """Return the SQL functions of the chunk's tables. `draw` mixes in the seed."""
    salt = int.from_bytes(hashlib.sha256(f"buyerview sample {seed}".encode()).digest()[:7], "big")
    return f"""
    create macro draw(key, purpose) as (hash(xor((key)::bigint * 4096 + purpose,
    {salt}::bigint)) >> 11)::double * (1.0 / 9007199254740992.0);
    create macro pick(key, purpose, n) as floor(draw(key, purpose) * n)::bigint;
    create macro business_day(d) as (d) // 7 * 5 + least((d) % 7, 5);
    create macro calendar_day(n) as (n) // 5 * 7 + (n) % 5;
    create macro europe_dst(d) as not ((d) >= {day(2024, 10, 27)} and (d) < {day(2025, 3, 30)}
        or (d) >= {day(2025, 10, 26)} and (d) < {day(2026, 3, 29)});
    create macro america_dst(d) as not ((d) >= {day(2024, 11, 3)} and (d) < {day(2025, 3, 9)}
        or (d) >= {day(2025, 11, 2)} and (d) < {day(2026, 3, 8)});
    create macro utc(d, seconds, hours_east, american) as (d) * 86400 + (seconds) - hours_east * 3600
        - case when case when american then america_dst(d) else europe_dst(d) end then 3600 else 0 end;
    create macro day_text(d) as strftime(date '{company.EPOCH}' + (d)::integer, '%Y-%m-%d');
    create macro day_text_dotted(d) as strftime(date '{company.EPOCH}' + (d)::integer, '%d.%m.%Y');
    create macro instant_text(s) as strftime(timestamp '{company.EPOCH}' + to_seconds(s), '%Y-%m-%dT%H:%M:%SZ');
    """


ORDERS = f"""
create or replace temp table orders as
with drawn as (
    -- The product of two draws gives few large customers and many small ones. A customer who has left is replaced
    -- by a customer who never leaves.
    select k, d, case when d >= first.leaves_d then stayer.customer_no else first.customer_no end as customer_no
    from (
        select k, d,
            floor(draw(k, 1) * draw(k, 2) * customers)::bigint as drawn_no,
            pick(k, 201, stayers) as stayer_place
        from chunk_days, sizes
    ) join customer_book first on first.customer_no = drawn_no join stayer_book stayer using (stayer_place)
), buyers as (
    select k, d, cu.* replace (case when d >= segment_changes then later_segment else segment end as segment),
        d >= leaves_d - 45 as in_trouble
    from drawn join customer_book cu using (customer_no)
), terms as (
    select *,
        case when draw(k, 3) < 0.18 and not pampered then 'MTO' else 'MTS' end as model,
        case when draw(k, 4) < 0.010 then 'RE' when draw(k, 4) < 0.018 then 'SA' when draw(k, 4) < 0.024 then 'IN'
        else 'OR' end as order_type,
        case when draw(k, 5) < [0.75, 0.48, 0.18][1 + habit] - 0.06 * segment then 'E'
             when draw(k, 5) < [0.95, 0.80, 0.46][1 + habit] then 'W'
             when draw(k, 5) < [0.99, 0.94, 0.84][1 + habit] then 'P' else 'F' end as channel,
        case when draw(k, 202) < 0.5 then own_category else pick(k, 6, 8) end as main_category,
        case when draw(k, 7) < 0.25 then 1 when draw(k, 7) < 0.5 then 2 when draw(k, 7) < 0.72 then 3
             when draw(k, 7) < 0.88 then 4 when draw(k, 7) < 0.95 then 5 else 6 + pick(k, 8, 3) end as goods_lines,
        case when draw(k, 9) < 0.40 then first_carrier
             when draw(k, 9) < 0.70 then second_carrier
             else pick(k, 10, 6) end as carrier_no,
        -- 07:00 to 19:00 in the customer's time zone; until 09:00 on the last day
        25200 + pick(k, 11, case when d = {LAST_DAY_NO} then 7200 else 43200 end) as ordered_second,
        business_day(d) as ordered_bd
    from buyers
), promise as (
    select *,
        utc(d, ordered_second, hours_east, american) as ordered_s,
        ordered_bd + case case when pampered then 0 else segment end when 0 then 2 + pick(k, 12, 2)
            when 1 then 4 + pick(k, 12, 3) else 6 + pick(k, 12, 4) end
            + case when model = 'MTO' then 6 else 0 end as promised_bd,
        -- d: a day; i: an instant; w: a window of two hours
        case when draw(k, 13) < case when contract = 'RETAIL-WINDOW' then 0.45 when segment = 0 then 0.12 else 0.03 end
            then 'w'
             when draw(k, 13) < case segment when 0 then 0.30 else 0.08 end then 'i' else 'd' end as promise_kind,
        36000 + 7200 * pick(k, 14, 4) as promised_second,
        case when pampered or draw(k, 15) < [0.66, 0.60, 0.44][1 + habit] then 0
             when draw(k, 15) < 0.85 then -1 - pick(k, 16, 2 + habit // 2)
             else 1 + pick(k, 16, 2) end as requested_shift
    from terms
), service as (
    select *,
        calendar_day(promised_bd) as promised_d,
        region = {company.NORTH} and carrier_no = {company.POLARBEAM}
            and calendar_day(promised_bd) between {day(2026, 4, 6)} and {day(2026, 6, 14)} as carrier_failing
    from promise
), outcome as (
    select *,
        draw(k, 17) < case case when pampered then 0 else segment end when 0 then 0.002 when 1 then 0.036 else 0.095 end
            + case when month(date '{company.EPOCH}' + promised_d::integer) = 12 then 0.02 else 0 end
            + case when carrier_failing then 0.42 else 0 end
            + case when in_trouble then 0.55 else 0 end as late,
        case when carrier_failing then 2 + pick(k, 18, 6)
             else 1 + floor(draw(k, 18) * draw(k, 18) * 6)::bigint end as late_bd,
        case when pampered or draw(k, 19) < 0.62 then 0 when draw(k, 19) < 0.88 then 1 else 2 end as early_bd,
        -- The goods leave in time and travel too long.
        carrier_failing or draw(k, 203) < 0.3 as slow_transit,
        draw(k, 204) < 0.012 and not pampered as turned_away
    from service
), planned_arrival as (
    select * replace (turned_away and not late as turned_away),
        case when late then promised_bd + late_bd
             when promise_kind = 'w' then promised_bd
             else greatest(ordered_bd + 2, promised_bd - early_bd) end as tried_bd
    from outcome
), arrival as (
    select *,
        -- A lorry turned away at the buyer's gate returns on the next business day.
        case when turned_away then tried_bd + 1 else tried_bd end as received_bd,
        case when not late and promise_kind = 'w' then promised_second - 7200 + pick(k, 20, 7200)
             when not late and promise_kind = 'i' then 28800 + pick(k, 20, promised_second - 28800)
             else 28800 + pick(k, 20, 30600) end as received_second
    from planned_arrival
)
select *,
    greatest(ordered_bd + 1, case when late and slow_transit then promised_bd else tried_bd end - 1
        - case when segment > 0 then pick(k, 21, 2) else 0 end) as shipped_bd,
    case when draw(k, 52) < case segment when 0 then 0.95 when 1 then 0.85 else 0.8 end
         then least(1, greatest(0, promised_bd - received_bd)) else 1 + pick(k, 53, 3) end as second_delay,
    utc(promised_d, case promise_kind when 'd' then 86399 else promised_second end, hours_east, american) as deadline_s,
    case when draw(k, 22) < 0.010 then 'B'
         when draw(k, 22) < 0.014 then 'S'
         when draw(k, 22) < 0.016 then 'L' end as cancelled,
    goods_lines > 1 and draw(k, 23) < 0.09 and not pampered as split,
    draw(k, 24) < case when carrier_no = 4 then 0.035 else 0.007 end as proof_missing,
    -- the morning of the next business day, before any goods leave
    calendar_day(ordered_bd + 1) * 86400 + 28800 + pick(k, 25, 10800) as cancel_s
from arrival
"""

ORDER_LINES = f"""
create or replace temp table order_lines as
with numbered as (
    select orders.*, k * 16 + n as lk, n from orders, unnest(range(1, goods_lines + 1)) as t(n)
), chosen as (
    select numbered.*,
        case when draw(lk, 31) < 0.85 then main_category else pick(lk, 32, 8) end as category,
        floor(draw(lk, 33) * draw(lk, 33) * products_per_category)::bigint as place
    from numbered, sizes
), priced as (
    select chosen.* exclude (place), product.product_id, product.unit, product.product_no,
        -- 0 to 6 % below the list price, by customer
        greatest(0.05, product.list_price * price_factor * (100 - customer_no % 7) / 100)::decimal(18, 2) as price,
        case when product.unit = 'piece'
             then greatest(1, round(product.typical_qty * size_factor
                 * (0.2 + 2.4 * draw(lk, 34) * draw(lk, 34)))::bigint)::decimal(18, 3)
             else (1 + pick(lk, 34, product.typical_qty * 4 * size_factor))::decimal(18, 3) / 2
        end::decimal(18, 3) as single_qty,
        case when product.unit = 'piece' then 1.0 else 0.5 end::decimal(18, 1) as step,
        case when product.per_box is not null and draw(lk, 205) < 0.45
            then case when d >= product.boxes_change then product.later_per_box
             else product.per_box end end as in_box
    from chosen join product_book product on product.category_no = category and product.place = chosen.place
), boxed as (
    -- whole boxes, at least one
    select * exclude (single_qty),
        case when in_box is null then single_qty else greatest(1, round(single_qty / in_box)) * in_box
        end::decimal(18, 3) as qty
    from priced
), fate as (
    select *,
        case when cancelled is null then
            case when draw(lk, 35) < 0.007 then 'B' when draw(lk, 35) < 0.010 then 'S' end end as line_cancelled,
        draw(lk, 36) < case case when pampered then 0 else segment end
            when 0 then 0.003
            when 1 then 0.011
            else 0.021 end
            + case when category = {company.SEALS} and promised_d between {day(2025, 10, 1)} and {day(2025, 12, 31)}
                then 0.30
            else 0 end + case when in_trouble then 0.25 else 0 end as short,
        draw(lk, 37) as short_fate,
        draw(lk, 38) < 0.003 as may_be_over,
        case when draw(lk, 39) < 0.002 then 'agreed'
             when draw(lk, 39) < 0.003 + 0.0015 * segment then 'not agreed' end as substituted
    from boxed
), sized as (
    select *,
        case when line_cancelled is null then 0 when draw(lk, 40) < 0.6 or qty <= step then qty
             else greatest(step, floor(qty * 0.4 / step) * step) end::decimal(18, 3) as cut_qty
    from fate
), packed as (
    select *,
        case when cancelled is not null then 0
             when short then floor((qty - cut_qty) * (0.4 + 0.55 * draw(lk, 41)) / step) * step
             when may_be_over and qty > cut_qty
                 then qty - cut_qty + greatest(step, ceil((qty - cut_qty) * 0.04 / step) * step)
             else qty - cut_qty end::decimal(18, 3) as first_qty
    from sized
)
select *,
    -- One line in fifty has its own date, a week after the order's date.
    case when draw(lk, 123) < 0.02 and promise_kind = 'd' and not pampered then promised_d + 7 end as own_d,
    case when cancelled is null and short and short_fate < case when category = {company.SEALS} then 0.7 else 0.45 end
         then greatest(0, qty - cut_qty - first_qty) else 0 end::decimal(18, 3) as back_qty,
    -- The seller cancels the remainder of some short lines.
    case when cancelled is null and line_cancelled is null and short and short_fate > 0.8
        then greatest(0, qty - first_qty)
         else 0 end::decimal(18, 3) as given_up_qty,
    case when split and n % 2 = 0 then 2 else 1 end as consignment
from packed
"""

PACKED_LINES = f"""
create or replace temp table packed_lines as
with parts as (
    select * exclude (first_qty, consignment), consignment as cn, first_qty as shipped_qty from order_lines
    where first_qty > 0
    union all by name
    select * exclude (first_qty, consignment), 3 as cn, back_qty as shipped_qty from order_lines where back_qty > 0
), moved as (
    select *,
        case cn
             when 1 then shipped_bd
             when 2 then received_bd - 1 + second_delay
             else received_bd + 3 + back_order_bd end as cn_shipped_bd,
        case cn
             when 1 then received_bd
             when 2 then received_bd + second_delay
             else received_bd + 5 + back_order_bd end as cn_received_bd
    from (select *, pick(k, 51, 8) as back_order_bd from parts)
), clocked as (
    select *,
        calendar_day(cn_shipped_bd) as shipped_d,
        -- goods leave the warehouse between 14:00 and 18:00 UTC
        calendar_day(cn_shipped_bd) * 86400 + 50400 + pick(k * 4 + cn, 54, 14400) as shipped_s,
        calendar_day(cn_received_bd) as received_d,
        utc(calendar_day(cn_received_bd), received_second, hours_east, american) as arrived_s,
        draw(k * 4 + cn, 55) as place_draw
    from moved
)
select *,
    case when not proof_missing and arrived_s <= {AS_OF} then arrived_s end as received_s,
    lk * 4 + cn as pk,
    draw(lk * 4 + cn, 56) < case segment when 0 then 0.003 when 1 then 0.0075 else 0.013 end
        + case when carrier_failing then 0.06 else 0 end as damaged,
    draw(lk * 4 + cn, 57) < 0.0015 and shipped_qty > step as lost_one,
    draw(lk * 4 + cn, 58) < 0.4 as counted,
    draw(lk * 4 + cn, 59) < 0.97 as inspected
from clocked where shipped_s <= {AS_OF}
"""

DELIVERED_LINES = """
create or replace temp table delivered_lines as
select *,
    case when lost_one and received_s is not null then shipped_qty - step
         else shipped_qty end::decimal(18, 3) as arrived_qty,
    case when damaged and received_s is not null then
        least(greatest(step, floor(shipped_qty * 0.12 / step) * step),
            shipped_qty - case when lost_one then step else 0 end)
        else 0 end::decimal(18, 3) as damaged_qty
from packed_lines
"""

CONSIGNMENTS = """
create or replace temp table consignments as
with summed as (
select k, cn,
    any_value(carrier_no) as first_carrier_no,
    any_value(shipped_s) as shipped_s, any_value(shipped_d) as shipped_d,
    any_value(received_s) as received_s, any_value(received_d) as received_d, any_value(ship_to) as ship_to,
    any_value(place_draw) as place_draw,
    any_value(turned_away) as turned_away,
    any_value(received_second) as received_second,
    any_value(hours_east) as hours_east, any_value(american) as american, any_value(tried_bd) as tried_bd,
    any_value(received_bd) as received_bd,
    sum(shipped_qty * price)::decimal(18, 2) as goods_value,
    any_value(customer_no) as customer_no,
    any_value(region) as region
from delivered_lines group by k, cn
)
select *,
    case when received_s is null then null
         when turned_away and cn = 1 then utc(calendar_day(tried_bd), received_second, hours_east, american)
         when draw(k * 4 + cn, 137) < 0.012 then received_s - 7200
         else received_s end as tried_s
from summed
"""

INVOICES = f"""
create or replace temp table invoices as
with billed as (
    select k, cn, any_value(order_type) as order_type, any_value(segment) as segment, any_value(bill_to) as bill_to,
        any_value(terms) as terms, any_value(currency) as currency, any_value(d) as d,
        any_value(case when received_s is not null then received_d else shipped_d end) as from_d,
        -- Goods without a proof of delivery are billed as shipped, without mistakes.
        bool_and(received_s is not null) as proven,
        min(cn) = min(min(cn)) over (partition by k) as first_of_order
    from delivered_lines where order_type = 'OR' group by k, cn
), dated as (
    select *, k * 4 + cn as bk,
        greatest(d, from_d)
            + case when proven and draw(k * 4 + cn, 71) < 0.004 then 12 else pick(k * 4 + cn, 72, 4) end as invoice_d
    from billed
    where not proven or draw(k * 4 + cn, 73) > 0.002
)
select *,
    case when proven and draw(bk, 74) < 0.003 then 'net 45' else terms end as billed_terms,
    case when proven and draw(bk, 75) < 0.002 then 'C99999' else bill_to end as billed_to,
    case when proven and draw(bk, 76) < 0.0008 then case currency when 'USD' then 'EUR' else 'USD' end
         else currency end as billed_currency,
    proven and draw(bk, 77) < 0.003 as reversed,
    draw(bk, 78) < 0.003 as goodwill,
    draw(bk, 79) < 0.2 as freight
from dated where invoice_d <= {LAST_DOCUMENT_DAY}
"""

INVOICE_LINES = f"""
create or replace temp table invoice_lines as
with goods as (
    select sent.bk, sent.n as item, sent.n, sent.price, sent.step, sent.qty, invoices.invoice_d, invoices.segment,
        invoices.reversed, sent.pk, sent.damaged_qty,
        sent.cn, sent.k, invoices.d,
        invoices.billed_to, invoices.billed_terms, invoices.billed_currency, sent.received_s, sent.in_box,
        sent.arrived_qty
            - case when sent.damaged_qty > 0 and draw(sent.pk, 81) < 0.3 then sent.damaged_qty else 0 end as right_qty,
        sent.category = {company.FASTENERS}
            and invoices.invoice_d between {day(2026, 3, 1)} and {day(2026, 3, 31)} as old_price_list,
        sent.tax_rate
    from (select *, k * 4 + cn as bk from delivered_lines) sent join invoices on invoices.bk = sent.bk
    where coalesce(sent.substituted, '') <> 'not agreed' and not (sent.place_draw < 0.0015)
)
select *,
    case when received_s is not null and draw(pk, 82) < 0.0015 then right_qty + step
         else right_qty end::decimal(18, 3) as billed_qty,
    case when old_price_list then price * 1.04 + 0.01
         when received_s is not null and draw(pk, 83) < case segment when 0 then 0.0015 when 1 then 0.007 else 0.014 end
             then price * 1.05 + 0.01
         else price end::decimal(18, 2) as billed_price
from goods
"""

SERVICE_LINES = """
create or replace temp table service_lines as
select drawn.*, k * 16 + n as lk, n, product_id, kind, price from (
    select *, goods_lines + 1 as n,
        case when draw(k, 91) < 0.7 then 'SV-INSTALL' else 'SV-CALIBR' end as product_id,
        'S' as kind,
        (60 + 5 * pick(k, 92, 40))::decimal(18, 2) as price from orders where draw(k, 93) < 0.06
    union all
    select *, goods_lines + 2 as n, 'FE-HANDLING' as product_id, 'F' as kind, 12.5::decimal(18, 2) as price from orders
    where draw(k,
        94) < 0.04
) as drawn
"""

CREDITS = f"""
create or replace temp table credits as
with reasons as (
    select 'CD' as series, 'DMG' as reason, damaged_qty as credited_qty, billed_price as credited_price, *
    from invoice_lines
        where damaged_qty > 0 and billed_qty > damaged_qty and draw(pk, 101) < 0.7
    union all
    select 'CB', 'BILL', billed_qty, billed_price - price, * from invoice_lines
    where billed_price > price and draw(pk, 102) < 0.6
    union all
    select 'CS', 'SHORT', step, price, * from invoice_lines where billed_qty > right_qty and draw(pk, 103) < 0.5
    union all
    select 'CG', 'GOODW', 1, greatest(1, price), * from invoice_lines where draw(pk, 104) < 0.0012
)
select *, invoice_d + 6 + pick(pk, 105, 18) as credit_d from reasons where invoice_d + 24 <= {LAST_DOCUMENT_DAY}
"""

ORDERS_FILE = f"""
select 'SO' || (10000000 + k) as order_no, customer_id as sold_to,
    case when channel = 'F' then day_text(d) else instant_text(ordered_s) end as entered_at,
    case when promise_kind = 'w'
        then instant_text(utc(promised_d, promised_second - 7200, hours_east, american)) end as req_from,
    case when promise_kind = 'd' then day_text(greatest(d + 1, calendar_day(promised_bd + requested_shift)))
    else instant_text(deadline_s) end as req_date,
    case when promise_kind = 'w'
        then instant_text(utc(promised_d, promised_second - 7200, hours_east, american)) end as conf_from,
    case when promise_kind = 'd' then day_text(promised_d) else instant_text(deadline_s) end as conf_date,
    channel as ch, order_type as ord_type, model as mrp_model,
    case when draw(k, 111) < 0.02 then 'call before delivery' when draw(k, 111) < 0.03 then 'deliver to rear gate'
         when draw(k, 111) < 0.035 then 'certificate of origin' end as remarks,
    currency as curr, bill_to, terms as pay_terms, ship_to, zone as ship_tz,
    case when american then 'DDP' when draw(k, 112) < 0.1 then 'FCA' else 'DAP' end as incoterm,
    case when ended_s is not null then instant_text(ended_s) end as cancel_ts,
    case when ended_s is not null then case cancelled when 'S' then 'S' else 'B' end end as cancel_by,
    case when ended_s is not null
        then case when cancelled = 'B' and draw(k, 113) < 0.2 then 'out_of_stock' when cancelled = 'L'
    then 'late'
         when cancelled = 'B' then (['changed_mind', 'duplicate', 'project_delayed'])[1 + pick(k, 114, 3)]
         else (['discontinued', 'credit_block', 'out_of_stock'])[1 + pick(k, 115, 3)] end end as cancel_code,
    instant_text(coalesce(ended_s, ordered_s)) as changed_at
from (select *, case when cancelled = 'L' and calendar_day(promised_bd + 2) * 86400 + 36000 <= {AS_OF}
    then calendar_day(promised_bd + 2) * 86400 + 36000
                     when cancelled in ('B', 'S') and cancel_s <= {AS_OF} then cancel_s end as ended_s from orders)
order by k
"""

ORDER_LINES_FILE = f"""
with goods as (
    select k, n, lk, ordered_s, product_id, qty, price, tax_rate, 'G' as kind, d, promised_d, in_box,
        case when line_cancelled is not null and cancel_s <= {AS_OF} then cancel_s
             when given_up_qty > 0 and (calendar_day(received_bd + 2) * 86400 + 32400) <= {AS_OF}
             then calendar_day(received_bd + 2) * 86400 + 32400
             end as ended_s,
        case when line_cancelled is null then given_up_qty else cut_qty end as ended_qty,
        case when line_cancelled = 'B' then 'B' when draw(lk, 121) < 0.1 then null else 'S' end as ended_by,
        case when line_cancelled = 'B' then case when draw(lk, 122) < 0.15 then 'late' else 'changed_mind' end
             when line_cancelled = 'S' then 'discontinued' else 'out_of_stock' end as ended_code,
        own_d
    from order_lines
    union all by name
    select k, n, lk, ordered_s, product_id, 1 as qty, price, tax_rate, kind, d, promised_d from service_lines
), counted as (
    select * replace (case when coalesce(ended_qty, 0) % in_box = 0 then in_box end as in_box) from goods
), in_units as (
    select * replace ((qty / coalesce(in_box, 1))::decimal(18, 3) as qty,
        (ended_qty / coalesce(in_box, 1))::decimal(18, 3) as ended_qty,
        (price * coalesce(in_box, 1))::decimal(18, 2) as price)
    from counted
)
select 'SO' || (10000000 + k) as order_no, n * 10 as pos, product_id as material,
    case when in_box is not null then 'box' end as unit,
    qty, price,
    tax_rate as tax, kind as item_kind,
    day_text(own_d) as req_date, day_text(own_d) as conf_date,
    case when ended_s is not null and not (ended_qty = qty and draw(lk, 124) < 0.5) then ended_qty end as cancel_qty,
    case when ended_s is not null then instant_text(ended_s) end as cancel_ts,
    case when ended_s is not null then ended_by end as cancel_by,
    case when ended_s is not null then ended_code end as cancel_code,
    instant_text(coalesce(ended_s, ordered_s)) as changed_at
from in_units order by k, n
"""

SHIPMENTS_FILE = f"""
select 'DN' || (40000000 + k * 4 + cn) as delivery_no,
    (select carriers[1
        + case when cn = 1 or draw(k * 4 + cn, 131) < 0.8 then first_carrier_no else pick(k * 4 + cn, 132, 6) end]
    from sizes) as carrier,
    instant_text(shipped_s) as goods_issue_at,
    instant_text(received_s) as pod_at,
    case when received_s is null then null
         when place_draw < 0.0015 then ship_to || '-ANNEX'
         else ship_to end as pod_place,
    (8 + goods_value * 0.02 + draw(k * 4 + cn, 133) * 20)::decimal(18, 2) as freight, 'EUR' as freight_curr,
    case when draw(k * 4 + cn, 134) < 0.9 then instant_text(least({AS_OF}, shipped_s + 600 + pick(k * 4 + cn, 135,
    3000))) end as asn_at,
    instant_text(tried_s) as attempt_at,
    case when tried_s < received_s then case when turned_away then (['B', 'B', 'B', 'K'])[1 + pick(k, 206, 4)]
        else (['B', 'K', 'K', 'S'])[1 + pick(k * 4 + cn, 136, 4)] end end as failed_by,
    instant_text(coalesce(received_s, shipped_s)) as changed_at
from consignments
order by k, cn
"""

SHIPMENT_LINES_FILE = """
with in_units as (
    select * replace (case when substituted is null
        and shipped_qty % in_box = 0
        and arrived_qty % in_box = 0
        and damaged_qty % in_box = 0
        then in_box end as in_box) from delivered_lines
)
select 'DN' || (40000000 + k * 4 + cn) as delivery_no, n as item, 'SO' || (10000000 + k) as order_no, n * 10 as pos,
    case when substituted is null then product_id
         else lpad((1000 + products - 1 - product_no)::varchar, 7, '0') end as material,
    case when in_box is not null then 'box' end as unit,
    (shipped_qty / coalesce(in_box, 1))::decimal(18, 3) as qty_sent,
    case when received_s is not null and (lost_one or counted)
        then (arrived_qty / coalesce(in_box, 1))::decimal(18, 3) end as qty_received,
    case when received_s is not null and (damaged_qty > 0 or inspected)
        then (damaged_qty / coalesce(in_box, 1))::decimal(18, 3)
        end as qty_damaged,
    case substituted when 'agreed' then 'Y' when 'not agreed' then 'N' end as subst_ok,
    instant_text(coalesce(received_s, shipped_s)) as changed_at
from in_units, sizes order by k, cn, n
"""

DOCUMENTS = """
create or replace temp table documents as
select 'IN' || (70000000 + bk) as doc_no, 'INV' as doc_type, null as reverses, invoice_d as doc_d, billed_to,
    billed_terms,
    billed_currency, null as reason from invoices
union all
select 'RV' || (70000000 + bk), 'REV', 'IN' || (70000000 + bk), invoice_d + 3, billed_to, billed_terms, billed_currency,
    null
    from invoices where reversed and invoice_d + 3 <= LAST_DOCUMENT_DAY
union all
select 'RI' || (70000000 + bk), 'INV', null, invoice_d + 3, bill_to, terms, currency, null from invoices where reversed
    and invoice_d + 3 <= LAST_DOCUMENT_DAY
union all
select series || (500000000 + pk), 'CRD', null, credit_d, billed_to, billed_terms, billed_currency, reason from credits
""".replace("LAST_DOCUMENT_DAY", str(LAST_DOCUMENT_DAY))

INVOICES_FILE = """
select doc_no, doc_type, reverses, day_text(doc_d) as doc_date,
    day_text_dotted(doc_d + case when billed_terms = 'net 45' then 45 else 30 end) as due_date,
    billed_to as bill_to, billed_terms as pay_terms, billed_currency as curr, reason,
    instant_text(doc_d * 86400 + 72000) as changed_at
from documents order by doc_d, doc_no
"""

DOCUMENT_LINES = f"""
create or replace temp table document_lines as
with billed as (
    select 'IN' as series, 70000000 + bk as number, item, k, n, billed_qty as qty, billed_price as price, tax_rate,
        invoice_d as doc_d,
        case when billed_qty % in_box = 0 then in_box end as in_box
        from invoice_lines
    union all
    select 'RV', 70000000 + bk, item, k, n, billed_qty, billed_price, tax_rate, invoice_d + 3, null from invoice_lines
        where reversed and invoice_d + 3 <= {LAST_DOCUMENT_DAY}
    union all
    select 'RI', 70000000 + bk, item, k, n, right_qty, price, tax_rate, invoice_d + 3, null from invoice_lines
        where reversed and invoice_d + 3 <= {LAST_DOCUMENT_DAY}
    union all
    select series, 500000000 + pk, 1, k, n, credited_qty, credited_price, tax_rate, credit_d, null from credits
    union all
    select 'IN', 70000000 + invoices.bk, service_lines.n, service_lines.k, service_lines.n, 1,
        case when draw(service_lines.lk, 141) < 0.02 then service_lines.price + 10 else service_lines.price end,
        service_lines.tax_rate,
        invoices.invoice_d, null
        from service_lines join invoices on invoices.k = service_lines.k and invoices.first_of_order
        where service_lines.cancelled is null
    union all
    select 'IN', 70000000 + invoices.bk, 90, null, null, 1,
        (9 + draw(invoices.bk, 142) * 30)::decimal(18, 2),
        0, invoices.invoice_d, null
        from invoices where freight
), in_parts as (
    -- Whole numbers (thousandths, cents, tenths of a percent): half a cent rounds in the same way on every machine.
    select *,
        ((qty * 1000)::bigint * (price * 100)::bigint + 500) // 1000 as cents,
        (tax_rate * 1000)::bigint as per_mille
    from billed
)
select series || number as doc_no, * exclude (series, cents, per_mille),
    cents::decimal(12, 0) * 0.01::decimal(3, 2) as amount,
    ((cents * per_mille + 500) // 1000)::decimal(12, 0) * 0.01::decimal(3, 2) as tax
from in_parts
"""

INVOICE_LINES_FILE = """
select doc_no, item, case when k is not null then 'SO' || (10000000 + k) end as order_no, n * 10 as pos,
    case when in_box is not null then 'box' end as unit, (qty / coalesce(in_box, 1))::decimal(12, 3) as qty,
    (price * coalesce(in_box, 1))::decimal(12, 2) as price, amount, tax,
    instant_text(doc_d * 86400 + 72000) as changed_at
from document_lines order by doc_d, left(doc_no, 2), number, item
"""

CHUNK_TABLES = (
    ORDERS,
    ORDER_LINES,
    PACKED_LINES,
    DELIVERED_LINES,
    CONSIGNMENTS,
    INVOICES,
    INVOICE_LINES,
    SERVICE_LINES,
    CREDITS,
    DOCUMENTS,
    DOCUMENT_LINES,
)
"""Statements to run for each chunk, in order. The chunk's orders are in chunk_days (k, d)."""

FILES = {
    "orders": ORDERS_FILE,
    "order_lines": ORDER_LINES_FILE,
    "shipments": SHIPMENTS_FILE,
    "shipment_lines": SHIPMENT_LINES_FILE,
    "invoices": INVOICES_FILE,
    "invoice_lines": INVOICE_LINES_FILE,
}
"""The SELECT that writes each core feed's file."""
