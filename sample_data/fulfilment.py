"""Fulfilment: the SQL that draws promises, holds, the 13 steps, inquiries and messages to the buyer.

The tables build on those of core_records.py and use its column names. MESSAGES also needs the service cases of
after_delivery.py.
"""

from sample_data.core_records import AS_OF

PLAN = f"""
create or replace temp table plan as
with lines as (
    select k,
        bool_or(consignment = 1 and first_qty > 0) as has_first,
        bool_or(consignment = 2 and first_qty > 0) as has_second,
        bool_or(back_qty > 0) as has_back_order, bool_or(short) as is_short,
        sum(qty * price)::decimal(18, 2) as order_value
    from order_lines group by k
), shipped as (
    select k, count(*) as consignments, count(received_s) as proven, max(received_s) as received_s,
        max(shipped_s) as shipped_s,
        arg_max(tried_s, received_s * 4 - cn) as tried_s, max(case when cn = 3 then shipped_s end) as back_order_s
    from consignments group by k
), timed as (
    select orders.*, lines.* exclude (k), shipped.* exclude (k),
        case when has_first
            then calendar_day(shipped_bd) * 86400 + 50400 + pick(orders.k * 4 + 1, 54, 14400) end as first_out_s,
        case when has_second
            then calendar_day(received_bd - 1 + second_delay) * 86400 + 50400
                + pick(orders.k * 4 + 2, 54, 14400) end as second_out_s,
        least(case when cancelled = 'L' then calendar_day(promised_bd + 2) * 86400 + 36000
            when cancelled is not null then cancel_s
            else {AS_OF} end, {AS_OF}) as until_s
    from orders join lines using (k) left join shipped using (k)
)
select *, least(first_out_s, second_out_s) as leaves_s, greatest(first_out_s, second_out_s) as last_leaves_s,
    -- The last part arrived too late or has not arrived, according to the proofs of delivery.
    cancelled is null and leaves_s is not null and order_type = 'OR' and deadline_s <= {AS_OF} and not proof_missing
        and (received_s is null or received_s > deadline_s or has_back_order) as late_in_fact,
    -- All consignments have arrived and have a proof of delivery.
    consignments = has_first::int + has_second::int + has_back_order::int and proven = consignments as arrived
from timed
"""

HOLDS = f"""
create or replace temp table holds as
with chosen as (
    select *,
        case when shipped_bd - ordered_bd < 2 or leaves_s is null then null
             when draw(k, 211) < [0.008, 0.012, 0.03][1 + habit]
                 + case when late then 0.10 when leaves_s > {AS_OF} then 0.08 else 0 end
                 then 'C'
             when draw(k, 212) < [0.008, 0.015, 0.05][1 + habit] + case when late then 0.08 else 0 end
                 then 'D' end as stopped
    from plan
), candidates as (
    select k, stopped as kind,
        case stopped
             when 'C' then calendar_day(shipped_bd - 1) * 86400 + 32400 + pick(k, 213, 7200)
             else ordered_s + 2700 end as placed_s,
        case stopped when 'C' then calendar_day(shipped_bd) * 86400 + 36000 + pick(k, 214, 10800)
             else calendar_day(ordered_bd + 1) * 86400 + 28800 + pick(k, 214, 7200) end as released_s,
        'B' as by, until_s
    from chosen where stopped is not null
    union all
    -- The shelf is empty during picking. The hold ends when the back order leaves.
    select k, 'S', shipped_s_of_first - 10800, back_order_s, 'S', until_s
    from (select *, coalesce(first_out_s, second_out_s) as shipped_s_of_first from plan)
    where has_back_order and draw(k, 215) < 0.25
    union all
    select k, 'O', ordered_s + 5400,
        ordered_s + 5400 + 3600 * (2 + pick(k, 217, 5)),
        case when draw(k, 218) < 0.5 then 'B' end,
        until_s
    from chosen where stopped is null and shipped_bd - ordered_bd >= 2 and draw(k, 216) < 0.006
)
select * replace (case when released_s <= until_s then released_s end as released_s) from candidates
where placed_s <= until_s
"""

STEP_SHARES = {3: 0.12, 4: 0.10, 5: 0.10, 6: 0.05, 7: 0.05, 8: 0.25, 9: 0.33}
"""Share of each step in the time between order entry and loading, before random variation and delays."""


def _weights() -> str:
    """Return columns w3 to w9: the weight of each step in that time, 0 for a step not observed or not needed."""
    columns = []
    for step, share in STEP_SHARES.items():
        seen = (
            "culprit = 8 or model = 'MTO' or draw(k, 238) < 0.2"
            if step == 8
            else f"culprit = {step} or draw(k, {230 + step}) < 0.94"
        )
        weight = f"{share} * (0.5 + draw(k, {220 + step})) * case when culprit = {step} then 12 else 1 end"
        columns.append(f"case when {seen} then {weight} else 0 end as w{step}")
    return ",\n        ".join(columns)


def _bounds() -> str:
    """Return structs of the steps 3 to 9: the start and the end of each step as shares of that time."""
    before, structs = "0", []
    for step in STEP_SHARES:
        starts = f"({before} + w{step} * 0.4 * draw(k, {250 + step})) / total"
        ends = f"({before} + w{step}) / total"
        structs.append(f"{{'step': {step}, 'seen': w{step} > 0, 'starts': {starts}, 'ends': {ends}}}")
        before += f" + w{step}"
    return ",\n            ".join(structs)


STEPS = f"""
create or replace temp table steps as
with entered as (
    select plan.*, hold.kind as stopped, hold.placed_s, hold.released_s,
        case when not late then 0 when slow_transit or turned_away then 11 when model = 'MTO' then 8
             else ([9, 9, 9, 5, 3, 8])[1 + pick(k, 220, 6)] end as culprit,
        ordered_s + 120 + pick(k, 221, 600) as entry_s,
        case when hold.kind = 'D' then hold.placed_s
             else ordered_s + 780 + pick(k, 222, case channel when 'E' then 600 else 1900 end) end as entered_s
    from plan left join (select * from holds where kind in ('C', 'D')) hold using (k)
), between as (
    select *, case when stopped = 'D' then coalesce(released_s + 1200, {AS_OF} + 86400) else entered_s end as clean_s,
        case when stopped = 'C' then placed_s - 2400
             else coalesce(leaves_s, calendar_day(shipped_bd) * 86400 + 54000) - 3600 - pick(k, 223, 3600)
        end as picked_s,
        {_weights()}
    from entered
), totals as (
    select *, w3 + w4 + w5 + w6 + w7 + w8 + w9 as total from between
), inside as (
    select k, until_s, cancelled, leaves_s, clean_s, picked_s,
        unnest([{_bounds()}]) as part
    from totals
), candidates as (
    select k, 2 as step, 1 as try, entry_s as started_s, entered_s as finished_s, until_s from totals
    union all
    select k, 2, 2, released_s, released_s + 1200, until_s from totals where stopped = 'D' and released_s is not null
    union all
    select k, part.step, 1, clean_s + floor((picked_s - clean_s) * part.starts)::bigint,
        clean_s + floor((picked_s - clean_s) * part.ends)::bigint, until_s
    from inside where part.seen and clean_s < picked_s and (part.step < 9 or leaves_s is not null and cancelled is null)
    union all
    select k, 10, 1, case when stopped = 'C' then placed_s - 1800 else picked_s + 300 end,
        case when stopped = 'C' then placed_s else last_leaves_s end, until_s
    from totals where leaves_s is not null and cancelled is null
    union all
    select k, 10, 2, released_s, last_leaves_s, until_s from totals
    where stopped = 'C' and released_s is not null and cancelled is null
    union all
    select k, 11, 1, tried_s - 600, case when tried_s < received_s then tried_s else received_s end, until_s from totals
    where arrived
    union all
    select k, 11, 2, received_s - 600, received_s, until_s from totals where arrived and tried_s < received_s
    union all
    select k, 12, 1, visit_s, visit_s + 7200 + pick(k, 224, 14400), until_s
    from (select *, calendar_day(business_day(received_s // 86400) + 1 + pick(k, 225, 3)) * 86400 + 28800 as visit_s
    from totals)
    where arrived and k in (select k from service_lines where product_id = 'SV-INSTALL') and cancelled is null
    union all
    select k, 13, 1, billed_s - 1200, billed_s, {AS_OF}
    from (select k,
        greatest(max(invoice_d) * 86400 + 61200, max(case when proven then received_s end) + 3600) as billed_s
        from invoices left join (select k, received_s from totals) using (k) group by k)
)
select k, step, try, started_s, case when finished_s <= until_s then finished_s end as finished_s from candidates
where started_s <= until_s
"""

INQUIRIES = f"""
create or replace temp table inquiries as
with asked as (
    -- inquiries that became this order, and further inquiries without an order
    select k, k as number, k as order_k, * exclude (k),
        ordered_s - 86400 * (1 + pick(k, 261, 6)) - pick(k, 262, 14400) as asked_s
    from plan where order_type = 'OR' and draw(k, 260) < case when model = 'MTO' then 0.40 else 0.05 end
    union all
    select k, 10000000 + k, null, * exclude (k), ordered_s - pick(k, 262, 14400) from plan where draw(k, 263) < 0.10
), answered as (
    select *,
        case when order_k is null and draw(k, 264) < 0.12 then null
             when order_k is null then asked_s + 7200 + floor(draw(k, 265) * 5 * 86400)::bigint
             else asked_s + 1800 + floor(draw(k, 265) * draw(k, 265) * 72000)::bigint end as answer_s,
        case when draw(k, 266) < case when order_k is null then 0.55 else 0.2 end then 1
             else 2 + pick(k, 267, 2) end as options
    from asked
)
select *, case when answer_s <= {AS_OF} then answer_s end as answered_s, 1 + pick(k, 268, options) as taken
from answered where asked_s <= {AS_OF}
"""

PROMISE_REVISIONS = f"""
create or replace temp table promise_revisions as
with wanted as (
    select *, greatest(ordered_s + 7200, deadline_s - 86400 - pick(k, 271, 86400)) as moved_s,
        case when draw(k, 272) < case when late then 0.08 else 0.012 end then 'B'
             when late and not in_trouble and draw(k, 273) < 0.55 then 'S' end as moved_by
    from plan
)
-- A revision applies to all lines of the order.
select k, 1 as rev, 0 as moved_days, ordered_s + least(600, {AS_OF} - ordered_s) as changed_s, null as moved_by
from wanted
union all
select k, 2, case when moved_by = 'B' then greatest(2, calendar_day(received_bd) - promised_d + 1)
    else greatest(1, calendar_day(received_bd) - promised_d - pick(k, 274, 2)) end, moved_s, moved_by
from wanted where moved_by is not null and moved_s < deadline_s and moved_s <= until_s
union all
select k, 3, greatest(2, calendar_day(received_bd) - promised_d + pick(k, 276, 2)), moved_s + 14400, 'S'
from wanted where moved_by = 'S' and draw(k, 275) < 0.2 and moved_s < deadline_s and moved_s + 14400 <= until_s
"""

PROMISES_FILE = """
select 'SO' || (10000000 + k) as order_no, n * 10 as pos, rev,
    case when own_d is not null then day_text(own_d + moved_days)
         when promise_kind = 'd' then day_text(promised_d + moved_days)
         else instant_text(deadline_s + moved_days * 86400) end as conf_date,
    instant_text(changed_s) as changed_at,
    case moved_by when 'B' then 'B' when 'S' then 'S' else case when rev = 1 then 'S' end end as changed_by,
    case when model = 'MTO' or draw(lk, 281) < 0.15 then 'ATP' else 'ATD' end as basis,
    case moved_by when 'B' then 'buyer_not_ready'
         when 'S'
             then case when slow_transit then 'carrier'
                 when model = 'MTO' then 'capacity'
                 else 'material' end end as reason
from order_lines join promise_revisions using (k) order by k, n, rev
"""

HOLDS_FILE = """
select 'HD' || (60000000 + k * 4 + (case kind when 'C' then 0 when 'D' then 1 when 'S' then 2 else 3 end)) as hold_no,
    'SO' || (10000000 + k) as order_no, kind, instant_text(placed_s) as set_at,
    instant_text(released_s) as lifted_at,
    "by" as caused
from holds order by k, kind
"""

ORDER_EVENTS_FILE = """
select 'SO' || (10000000 + k) as order_no, step, try,
    instant_text(started_s) as begun_at,
    instant_text(finished_s) as done_at
from (
    select * from steps
    union all
    select order_k, 1, 1, asked_s, answered_s from inquiries where order_k is not null
)
order by k, step, try
"""

QUOTES_FILE = """
select 'Q' || (20000000 + number) as inquiry_no, customer_id as customer_no,
    instant_text(asked_s) as asked_at, instant_text(answered_s) as answered_at,
    case when order_k is not null then 'SO' || (10000000 + order_k) end as order_no
from inquiries order by number
"""

QUOTE_OPTIONS_FILE = """
with offered as (
    select *, unnest(range(1, options + 1)) as opt from inquiries where answered_s is not null
)
-- Faster options cost more: 2.5 % for each third of the lead time.
select 'Q' || (20000000 + number) as inquiry_no, opt as option,
    (order_value * (1000 + 25 * (options - opt)) / 1000)::decimal(18, 2) as price, currency as curr,
    greatest(1, floor((promised_d - d) * (opt + 3 - options) / 3.0)::bigint) as lead_days,
    case when order_k is not null or draw(k, 269) < 0.05 then case when opt = taken then 'Y' else 'N' end
         else 'N' end as taken
from offered order by number, opt
"""

MESSAGES = f"""
create or replace temp table messages as
with acknowledged_orders as (
    select plan.*, hold.released_s as data_s, hold.kind is not null as data_missing
    from plan left join (select * from holds where kind = 'D') hold using (k)
)
select 'A' || k as number, k, null as customer_id, 'pre' as phase, 'acknowledgement' as kind,
    ordered_s + case channel when 'E' then 3600 else 14400 end as due_s,
    case when draw(k, 291) < 0.02 + 0.02 * segment then null
         when data_missing then data_s + 1800
         else ordered_s + 300 + floor(draw(k, 292) * case when draw(k, 293) >= 0.94 - 0.05 * segment then 60000
              when channel = 'E' then 3200 else 14000 end)::bigint end as sent_s,
    case when draw(k, 294) < 0.1 then null else draw(k, 295) < 0.985 - 0.01 * segment end as correct
from acknowledged_orders
union all
select 'S' || (k * 4 + cn), k, null, 'during', 'ship_notice', shipped_s + 3000,
    case when draw(k * 4 + cn, 134) < 0.9 then
    least({AS_OF}, shipped_s + 600 + pick(k * 4 + cn, 135, 3000)) end, case when draw(k * 4 + cn, 296) < 0.05 then null
    else draw(k * 4 + cn, 297) < 0.98 end
from consignments
union all
-- Some buyers get the delay notice in time, some get it late, and the rest never get it.
select 'D' || k, k, null, 'during', 'delay_notice', deadline_s - 14400,
    case when draw(k, 298) < [0.85, 0.62, 0.38][1 + segment] - case when in_trouble then 0.3 else 0 end
         then greatest(ordered_s + 7200, deadline_s - 7200 - pick(k, 299, 115200))
         when draw(k, 298) < 0.9 then deadline_s + 3600 + pick(k, 300, 100000) end, draw(k, 301) < 0.9
from plan where (late_in_fact or late and deadline_s > {AS_OF} and cancelled is null) and draw(k, 302) < 0.92
union all
-- a few wrong warnings
select 'E' || k, k, null, 'during', 'delay_notice', deadline_s - 14400,
    greatest(ordered_s + 7200, deadline_s - 20000),
    false
from plan where not late and not late_in_fact and draw(k, 303) < 0.006 and cancelled is null
union all
select 'B' || bk, invoices.k, null, 'post', 'invoice', (from_d + 7) * 86400 + 64800, invoice_d * 86400 + 64800,
    billed_terms = invoices.terms
        and billed_to = invoices.bill_to
        and billed_currency = invoices.currency
        and not coalesce(wrong, false)
from invoices
left join (select k, cn, bool_or(billed_price <> price or billed_qty <> right_qty) as wrong from invoice_lines
group by k, cn) billing
    on billing.k = invoices.k and billing.cn = invoices.cn
union all
select 'Q' || number, null, customer_id, 'pre', 'quote', asked_s + 172800, answered_s,
    case when answered_s is not null then draw(number, 304) < 0.97 end
from inquiries
union all
select 'C' || case_no, k, customer_id, 'post', 'case_reply', opened_s + 86400, acknowledged_s,
    case when acknowledged_s is not null then draw(opened_s, 305) < 0.95 end
from service_cases
"""

MESSAGES_FILE = f"""
select 'M' || number as message_no,
    case when k is not null then 'SO' || (10000000 + k) end as order_no,
    customer_id as customer_no, phase, kind,
    instant_text(due_s) as due_at, case when sent_s <= {AS_OF} then instant_text(sent_s) end as sent_at,
    case when sent_s <= {AS_OF} then case correct when true then 'Y' when false then 'N' end end as was_right
from messages order by due_s, number
"""

TABLES = (PLAN, HOLDS, STEPS, INQUIRIES, PROMISE_REVISIONS)
"""Statements to run for each chunk after those of core_records.py."""
LAST_TABLES = (MESSAGES,)
"""Statements to run after those of after_delivery.py."""

FILES = {
    "promises": PROMISES_FILE,
    "holds": HOLDS_FILE,
    "order_events": ORDER_EVENTS_FILE,
    "quotes": QUOTES_FILE,
    "quote_options": QUOTE_OPTIONS_FILE,
    "messages": MESSAGES_FILE,
}
"""The SELECT that writes each feed's file."""
