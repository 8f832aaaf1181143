-- Facts as a skilled analyst would write them for DuckDB, for this data and this policy only. See hand_written_sql.py.
-- Left out, compared with metrics/facts/orders/:
-- * the party that cancelled, windows and tolerances, claims windows, substitutions
-- * bills of services and fees by the owed quantity
-- * unproven consignments in four cases (here two: all arrived in time, or none arrived)
-- * reasons beyond the first, quarantined records, bare dates of receipts
-- * the running quantity that settles a line (here: the latest receipt)

CREATE TABLE hand_lines AS
WITH o AS (
    SELECT orders.*,
        coalesce(c.name, orders.customer_id) AS customer_name,
        coalesce(c.service_segment, '(none)') AS segment,
        coalesce(c.region, '(none)') AS region
    FROM (
        SELECT orders.*,
            CASE WHEN ordered_at < d.starts_at THEN d.day - 1
                WHEN ordered_at > d.ends_at THEN d.day + 1
                ELSE d.day END::DATE AS ordered_day
        FROM orders LEFT JOIN local_days d ON d.zone = ship_to_time_zone AND d.day = ordered_at::DATE
        WHERE NOT deleted AND ordered_at <= $as_of
    ) orders
    ASOF LEFT JOIN (SELECT * FROM customers WHERE NOT deleted) c
        ON c.customer_id = orders.customer_id AND orders.ordered_day >= c.valid_from
),
dated AS (
    SELECT o.*, l.line_no, l.product_id, l.line_kind, l.ordered_qty, l.unit_price_amount,
        coalesce(p.category, '(none)') AS product_category,
        CASE WHEN lower(p.base_unit) = 'piece' THEN 0.5 ELSE 0.0005 END::DECIMAL(18, 4) AS half_step,
        requested.day AS requested_day, promised.day AS promised_day,
        coalesce(promised.day, requested.day, o.ordered_day) AS due_day,
        CASE WHEN coalesce(l.promised_by_is_date, o.promised_by_is_date) THEN promised.ends_at
            ELSE coalesce(l.promised_by, o.promised_by) END AS deadline_at,
        CASE WHEN l.cancelled_at IS NOT NULL AND l.cancelled_by = 'buyer'
            THEN greatest(l.ordered_qty - coalesce(l.cancelled_qty, l.ordered_qty), 0)
            WHEN o.cancelled_at IS NOT NULL AND o.cancelled_by = 'buyer' THEN 0
            ELSE l.ordered_qty END::DECIMAL(18, 4) AS owed_qty
    FROM order_lines l JOIN o USING (order_id)
    LEFT JOIN local_days promised
        ON promised.zone = o.ship_to_time_zone AND promised.day = coalesce(l.promised_by, o.promised_by)::DATE
    LEFT JOIN local_days requested
        ON requested.zone = o.ship_to_time_zone AND requested.day = coalesce(l.requested_by, o.requested_by)::DATE
    ASOF LEFT JOIN (SELECT * FROM products WHERE NOT deleted) p
        ON p.product_id = l.product_id AND o.ordered_day >= p.valid_from
    WHERE NOT l.deleted
),
came AS (
    SELECT order_id, line_no, min(carrier) AS carrier_first, max(carrier) AS carrier_last,
        sum(qty) FILTER (counted) AS counted_qty,
        sum(qty) FILTER (counted AND received_at <= deadline_at) AS in_time_qty,
        max(received_at) FILTER (counted) AS settled_at, max(received_day) FILTER (counted) AS settled_day,
        sum(qty) FILTER (proven) AS received_qty, sum(shipped_qty) AS shipped_qty,
        sum(shipped_qty) FILTER (NOT proven) AS unproven_qty,
        sum(shipped_qty) FILTER (NOT proven AND shipped_at <= deadline_at) AS unproven_in_time_qty,
        sum(damaged_qty) FILTER (proven) AS damaged_qty,
        count(*) FILTER (proven AND damaged_qty IS NULL) AS damage_unknown,
        count(*) FILTER (proven AND NOT right_product) AS wrong_item,
        count(*) FILTER (proven AND NOT right_place) AS wrong_place,
        sum(shipped_qty) FILTER (right_product AND shipped_at <= deadline_at) AS first_pass_qty
    FROM (
        SELECT s.order_id, s.line_no, h.carrier, h.received_at, h.shipped_at,
            CASE WHEN h.received_at < r.starts_at THEN r.day - 1
                WHEN h.received_at > r.ends_at THEN r.day + 1
                ELSE r.day END::DATE AS received_day,
             s.shipped_qty, s.damaged_qty, d.deadline_at,
            coalesce(s.received_qty, s.shipped_qty) AS qty,
            h.received_at IS NOT NULL AND h.received_at <= $as_of AS proven,
            coalesce(s.product_id = d.product_id, true) AS right_product,
            coalesce(h.received_place = d.ship_to, true) AS right_place,
            proven AND right_product AND right_place AND qty > 0 AS counted
        FROM shipment_lines s JOIN shipments h USING (shipment_id)
        JOIN dated d ON d.order_id = s.order_id AND d.line_no = s.line_no
        LEFT JOIN local_days r ON r.zone = d.ship_to_time_zone AND r.day = h.received_at::DATE
        WHERE NOT s.deleted AND NOT h.deleted AND (h.shipped_at <= $as_of OR h.received_at <= $as_of)
    )
    GROUP BY order_id, line_no
),
billed AS (
    SELECT b.order_id, b.line_no, sum(b.billed_qty) FILTER (h.invoice_kind = 'invoice') AS billed_qty,
        sum(CASE WHEN h.invoice_kind = 'invoice' THEN b.line_amount ELSE -b.line_amount END) AS billed_amount,
        min(h.invoiced_at) FILTER (h.invoice_kind = 'invoice') AS first_billed_at,
        bool_or(b.unit_price_amount <> d.unit_price_amount
            OR h.payment_terms <> d.payment_terms
            OR h.bill_to <> d.bill_to
            OR h.currency <> d.currency
            OR abs(b.line_amount - b.billed_qty * b.unit_price_amount) > 0.005
            OR reversed.reverses_invoice_id IS NOT NULL) FILTER (h.invoice_kind = 'invoice') AS wrong,
        bool_or(h.invoice_kind = 'credit' AND h.credit_reason IN ('billing', 'short')) AS credited,
        bool_or(h.invoice_kind = 'credit' AND h.credit_reason IN ('damage', 'defect')) AS damage_credit
    FROM invoice_lines b JOIN invoices h USING (invoice_id)
    JOIN dated d ON d.order_id = b.order_id AND d.line_no = b.line_no
    LEFT JOIN (
        SELECT DISTINCT reverses_invoice_id FROM invoices WHERE invoice_kind = 'reversal' AND NOT deleted
    ) reversed
        ON reversed.reverses_invoice_id = h.invoice_id
    WHERE NOT b.deleted AND NOT h.deleted AND h.invoiced_at <= $as_of
    GROUP BY b.order_id, b.line_no
),
together AS (
    SELECT d.*,
        came.* EXCLUDE (order_id, line_no, counted_qty, in_time_qty, unproven_qty, unproven_in_time_qty, settled_at,
            settled_day),
        settled_at, settled_day,
        billed.* EXCLUDE (order_id, line_no),
        coalesce(counted_qty, 0) AS counted_qty,
        coalesce(in_time_qty, 0) AS in_time_qty,
        coalesce(unproven_qty, 0) AS unproven_qty,
        coalesce(unproven_in_time_qty, 0) AS unproven_in_time_qty,
        owed_qty - half_step AS enough,
        CASE WHEN d.order_type <> 'sale' OR d.line_kind <> 'goods' OR d.owed_qty <= 0 THEN 'excluded'
            WHEN deadline_at > $as_of THEN 'pending'
            ELSE 'judged' END AS state
    FROM dated d LEFT JOIN came USING (order_id, line_no) LEFT JOIN billed USING (order_id, line_no)
),
judged AS (
    SELECT *,
        CASE WHEN in_time_qty > enough THEN true
            WHEN deadline_at IS NULL THEN NULL
            WHEN in_time_qty + unproven_in_time_qty > enough THEN NULL
            ELSE false END AS on_time_,
        CASE WHEN counted_qty > enough THEN true
            WHEN counted_qty + unproven_qty > enough THEN NULL
            ELSE false END AS complete_,
        CASE WHEN coalesce(received_qty, 0) = 0 THEN NULL
            WHEN damaged_qty > 0 OR damage_credit THEN false
            WHEN damage_unknown > 0 THEN NULL
            ELSE true END AS damage_free_,
        CASE WHEN coalesce(received_qty, 0) = 0 THEN NULL
            WHEN wrong_item > 0 OR wrong_place > 0 OR counted_qty >= owed_qty + half_step THEN false
            ELSE true END AS filled_,
        CASE WHEN billed_qty IS NULL AND counted_qty + unproven_qty = 0 THEN NULL
            WHEN billed_qty IS NULL AND settled_at + INTERVAL 7 DAY > $as_of THEN NULL
            WHEN billed_qty IS NULL OR wrong OR credited OR first_billed_at > settled_at + INTERVAL 8 DAY THEN false
            WHEN abs(billed_qty
                - CASE WHEN line_kind = 'goods' THEN counted_qty + unproven_qty ELSE owed_qty END) < half_step
                THEN true
            WHEN abs(billed_qty - counted_qty - unproven_qty + damaged_qty) < half_step THEN true
            ELSE false END AS billed_
    FROM together
)
SELECT order_id, line_no, customer_id, customer_name, segment, region, coalesce(channel, '(none)') AS channel,
    coalesce(fulfilment_model, '(none)') AS fulfilment_model,
    coalesce(currency, '(none)') AS currency,
    product_category,
    CASE WHEN carrier_first IS NULL THEN '(none)'
        WHEN carrier_first = carrier_last THEN carrier_first
        ELSE '(several)' END AS carrier,
    ordered_at, ordered_at_is_date, ordered_day, requested_day, promised_day, due_day, deadline_at, state, order_type,
    time_zone_assumed, product_id, line_kind,
    CASE WHEN state = 'judged' THEN on_time_ END AS on_time,
    CASE WHEN state = 'pending' THEN 'not_yet_due'
        WHEN state <> 'judged' OR on_time_ THEN NULL
        WHEN deadline_at IS NULL THEN 'no_anchor'
        WHEN on_time_ IS NULL THEN 'no_evidence'
        WHEN counted_qty = 0 THEN 'never_received'
        ELSE 'late' END AS on_time_reason,
    CASE WHEN state = 'judged' THEN complete_ END AS complete,
    CASE WHEN state = 'pending' THEN 'not_yet_due'
        WHEN state <> 'judged' OR complete_ THEN NULL
        WHEN complete_ IS NULL THEN 'no_evidence'
        ELSE 'short' END AS complete_reason,
    CASE WHEN state = 'judged' THEN on_time_ AND complete_ END AS otif,
    CASE WHEN state = 'pending' THEN 'not_yet_due'
        WHEN state <> 'judged' OR (on_time_ AND complete_) THEN NULL
        WHEN (on_time_ AND complete_) IS NULL THEN 'no_evidence'
        WHEN NOT on_time_ THEN 'late' ELSE 'short' END AS otif_reason,
    CASE WHEN state = 'judged' THEN damage_free_ END AS damage_free,
    CASE WHEN state = 'pending' THEN 'not_yet_due'
        WHEN state <> 'judged' OR damage_free_ THEN NULL
        WHEN coalesce(received_qty, 0) = 0 THEN 'nothing_received'
        WHEN damage_free_ IS NULL THEN 'no_evidence'
        WHEN damaged_qty > 0 THEN 'damaged'
        ELSE 'damage_credit' END AS damage_free_reason,
    CASE WHEN state = 'judged' THEN filled_ END AS filled_accurately,
    CASE WHEN state = 'pending' THEN 'not_yet_due'
        WHEN state <> 'judged' OR filled_ THEN NULL
        WHEN coalesce(received_qty, 0) = 0 THEN 'nothing_received'
        WHEN wrong_item > 0 THEN 'wrong_item'
        WHEN wrong_place > 0 THEN 'wrong_place'
        ELSE 'over_shipped' END AS filled_accurately_reason,
    CASE WHEN order_type = 'sale' AND state <> 'pending' THEN billed_ END AS billed_accurately,
    CASE WHEN state = 'pending' THEN 'not_yet_due'
        WHEN order_type <> 'sale' OR billed_ THEN NULL
        WHEN billed_ IS NULL AND coalesce(received_qty, 0) = 0 THEN 'nothing_received'
        WHEN billed_ IS NULL THEN 'no_evidence'
        WHEN billed_qty IS NULL THEN 'not_billed'
        WHEN wrong THEN 'billed_price'
        WHEN credited THEN 'billing_credit'
        ELSE 'billed_quantity' END AS billed_accurately_reason,
    ordered_qty, owed_qty,
    counted_qty::DECIMAL(18, 4) AS counted_qty,
    coalesce(received_qty, 0)::DECIMAL(18, 4) AS received_qty,
    coalesce(shipped_qty, 0)::DECIMAL(18, 4) AS shipped_qty,
    unproven_qty::DECIMAL(18, 4) AS unproven_qty,
    least(counted_qty, owed_qty)::DECIMAL(18, 4) AS filled_qty,
    least(counted_qty + unproven_qty, owed_qty)::DECIMAL(18, 4) AS filled_most_qty,
    least(coalesce(first_pass_qty, 0), owed_qty)::DECIMAL(18, 4) AS first_pass_qty,
    coalesce(first_pass_qty, 0) > enough AS first_pass_full,
    least(in_time_qty, owed_qty)::DECIMAL(18, 4) AS in_window_qty,
    least(in_time_qty + unproven_in_time_qty, owed_qty)::DECIMAL(18, 4) AS in_window_most_qty,
    billed_qty::DECIMAL(18, 4) AS billed_qty,
    (ordered_qty * unit_price_amount)::DECIMAL(18, 4) AS ordered_amount,
    (owed_qty * unit_price_amount)::DECIMAL(18, 4) AS owed_amount,
    (least(counted_qty, owed_qty) * unit_price_amount)::DECIMAL(18, 4) AS filled_amount,
    (least(counted_qty + unproven_qty, owed_qty) * unit_price_amount)::DECIMAL(18, 4) AS filled_most_amount,
    (least(coalesce(first_pass_qty, 0), owed_qty) * unit_price_amount)::DECIMAL(18, 4) AS first_pass_amount,
    (counted_qty * unit_price_amount)::DECIMAL(18, 4) AS received_amount,
    billed_amount::DECIMAL(18, 4) AS billed_amount,
    settled_at, settled_day, CASE WHEN deadline_at > $as_of THEN deadline_at END AS next_change_at
FROM judged;

CREATE TABLE hand_orders AS
WITH sums AS (
    SELECT order_id,
        any_value(customer_id) AS customer_id,
        any_value(customer_name) AS customer_name,
        any_value(segment) AS segment, any_value(region) AS region,
        any_value(channel) AS channel, any_value(fulfilment_model) AS fulfilment_model, any_value(currency) AS currency,
        CASE WHEN min(product_category) FILTER (line_kind = 'goods')
            = max(product_category) FILTER (line_kind = 'goods')
            THEN min(product_category) FILTER (line_kind = 'goods')
            WHEN count(*) FILTER (line_kind = 'goods') = 0 THEN '(none)' ELSE '(several)' END AS product_category,
        CASE WHEN min(nullif(carrier, '(none)')) IS NULL THEN '(none)'
            WHEN min(nullif(carrier, '(none)')) = max(nullif(carrier, '(none)')) THEN min(nullif(carrier, '(none)'))
            ELSE '(several)' END AS carrier,
        any_value(ordered_at) AS ordered_at,
        any_value(ordered_at_is_date) AS ordered_at_is_date,
        any_value(ordered_day) AS ordered_day,
        max(requested_day) AS requested_day, max(promised_day) AS promised_day,
        max(due_day) FILTER (state <> 'excluded') AS due_day_goods,
        max(due_day) AS due_day_any,
        max(deadline_at) FILTER (state <> 'excluded') AS deadline_at,
        any_value(order_type) AS order_type,
        any_value(time_zone_assumed) AS time_zone_assumed,
        count(*) FILTER (state <> 'excluded') AS goods_lines,
        count(*) FILTER (state = 'pending') AS pending_lines,
        count(*) AS line_count,
        CASE WHEN bool_or(NOT on_time) THEN false
            WHEN bool_or(on_time IS NULL) FILTER (state <> 'excluded') THEN NULL
            ELSE true END AS on_time,
        min(on_time_reason) FILTER (state <> 'excluded') AS on_time_reason,
        CASE WHEN bool_or(NOT complete) THEN false
            WHEN bool_or(complete IS NULL) FILTER (state <> 'excluded') THEN NULL
            ELSE true END AS complete,
        min(complete_reason) FILTER (state <> 'excluded') AS complete_reason,
        CASE WHEN bool_or(NOT otif) THEN false
            WHEN bool_or(otif IS NULL) FILTER (state <> 'excluded') THEN NULL
            ELSE true END AS otif,
        min(otif_reason) FILTER (state <> 'excluded') AS otif_reason,
        CASE WHEN bool_or(NOT damage_free) THEN false
            WHEN bool_or(damage_free IS NULL) FILTER (state <> 'excluded' AND received_qty > 0) THEN NULL
            WHEN sum(received_qty) = 0 THEN NULL
            ELSE true END AS damage_free,
        min(damage_free_reason) FILTER (state <> 'excluded') AS damage_free_reason,
        CASE WHEN bool_or(NOT filled_accurately) THEN false
            WHEN sum(received_qty) = 0 THEN NULL
            ELSE true END AS filled_accurately,
        min(filled_accurately_reason) FILTER (state <> 'excluded') AS filled_accurately_reason,
        CASE WHEN bool_or(NOT billed_accurately) THEN false
            WHEN bool_or(billed_accurately IS NULL) FILTER (billed_accurately_reason <> 'nothing_received') THEN NULL
            WHEN bool_or(billed_accurately) THEN true END AS billed_accurately,
        min(billed_accurately_reason) AS billed_accurately_reason,
        bool_and(first_pass_full) FILTER (state <> 'excluded') AS first_pass_full,
        count(*) FILTER (state <> 'excluded' AND settled_at IS NULL) AS unsettled,
        count(*) FILTER (state <> 'excluded' AND settled_at > deadline_at) AS late_lines,
        max(settled_at) FILTER (state <> 'excluded') AS settled_at,
        max(settled_day) FILTER (state <> 'excluded') AS arrived_day,
        sum(ordered_qty) FILTER (line_kind = 'goods') AS ordered_qty,
        sum(owed_qty) FILTER (line_kind = 'goods') AS owed_qty,
        sum(received_qty) FILTER (line_kind = 'goods') AS received_qty,
        sum(ordered_amount) AS ordered_amount,
        sum(received_amount) FILTER (line_kind = 'goods') AS received_amount,
        sum(owed_amount - filled_amount) FILTER (state <> 'excluded') AS short_amount,
        sum(billed_amount) AS billed_amount,
        min(next_change_at) AS next_change_at
    FROM hand_lines GROUP BY order_id
),
stated AS (
    SELECT *, coalesce(due_day_goods, due_day_any) AS due_day, goods_lines > 0 AND unsettled = 0 AS arrived,
        CASE WHEN order_type <> 'sale' OR goods_lines = 0 THEN 'excluded'
            WHEN pending_lines > 0 THEN 'pending'
            ELSE 'judged' END AS state
    FROM sums
)
SELECT order_id, customer_id, customer_name, segment, region, channel, fulfilment_model, currency, product_category,
    carrier, ordered_at, ordered_at_is_date,
    ordered_day, requested_day, promised_day, due_day, deadline_at, state, order_type, time_zone_assumed,
    CASE WHEN state = 'judged' THEN on_time END AS on_time, on_time_reason,
    CASE WHEN state = 'judged' THEN complete END AS complete,
    complete_reason,
    CASE WHEN state = 'judged' THEN otif END AS otif, otif_reason,
    CASE WHEN state = 'judged' THEN damage_free END AS damage_free,
    damage_free_reason,
    CASE WHEN state = 'judged' THEN filled_accurately END AS filled_accurately, filled_accurately_reason,
    CASE WHEN state = 'judged' THEN billed_accurately END AS billed_accurately, billed_accurately_reason,
    CASE WHEN state = 'judged'
        THEN otif AND damage_free AND filled_accurately AND billed_accurately END AS perfect_order,
    first_pass_full,
    CASE WHEN arrived THEN settled_at END AS settled_at,
    CASE WHEN arrived THEN arrived_day END AS arrived_day,
    CASE WHEN arrived AND order_type = 'sale' THEN arrived_day - ordered_day END::INTEGER AS cycle_days,
    CASE WHEN arrived AND state = 'judged' AND late_lines > 0
        THEN greatest(arrived_day - due_day, 0) END::INTEGER AS days_late,
    line_count, goods_lines AS goods_line_count,
    coalesce(ordered_qty, 0)::DECIMAL(18, 4) AS ordered_qty,
    coalesce(owed_qty, 0)::DECIMAL(18, 4) AS owed_qty,
    coalesce(received_qty, 0)::DECIMAL(18, 4) AS received_qty,
    coalesce(ordered_amount, 0)::DECIMAL(18, 4) AS ordered_amount,
    coalesce(received_amount, 0)::DECIMAL(18, 4) AS received_amount,
    coalesce(short_amount, 0)::DECIMAL(18, 4) AS short_amount,
    coalesce(billed_amount, 0)::DECIMAL(18, 4) AS billed_amount, next_change_at
FROM stated;
