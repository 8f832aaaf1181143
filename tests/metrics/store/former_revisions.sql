-- The tables that the former migrations 0001 to 0003 created in SQLite, by revision. Used by test_store.py.
-- revision 0001
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE run_history (
    source VARCHAR NOT NULL,
    started_at DATETIME NOT NULL,
    finished_at DATETIME NOT NULL,
    outcome VARCHAR NOT NULL,
    generation INTEGER,
    report TEXT NOT NULL
);
CREATE TABLE audit_trail (
    entry INTEGER NOT NULL,
    at DATETIME NOT NULL,
    who VARCHAR NOT NULL,
    what VARCHAR NOT NULL,
    "key" VARCHAR NOT NULL,
    "before" TEXT,
    "after" TEXT,
    PRIMARY KEY (entry)
);
CREATE INDEX audit_trail_of_a_key ON audit_trail ("key");
CREATE TABLE work_items (
    order_id VARCHAR NOT NULL,
    customer VARCHAR,
    status VARCHAR NOT NULL,
    owner VARCHAR,
    detected_at DATETIME,
    acknowledged_at DATETIME,
    resolved_at DATETIME,
    remedy VARCHAR,
    remedy_note TEXT,
    resolved_by VARCHAR,
    changed_at DATETIME NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (order_id)
);
CREATE INDEX work_items_by_status ON work_items (status, owner);
CREATE TABLE work_comments (
    comment_id INTEGER NOT NULL,
    order_id VARCHAR NOT NULL,
    at DATETIME NOT NULL,
    who VARCHAR NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (comment_id)
);
CREATE INDEX work_comments_of_an_order ON work_comments (order_id);
-- revision 0002
CREATE TABLE written_assumptions (
    assumption VARCHAR NOT NULL,
    scope VARCHAR NOT NULL,
    assumed_value VARCHAR NOT NULL,
    valid_from DATE NOT NULL,
    deleted BOOLEAN NOT NULL,
    changed_at DATETIME NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (assumption, scope, valid_from)
);
CREATE TABLE written_targets (
    measure VARCHAR NOT NULL,
    scope VARCHAR NOT NULL,
    target_value VARCHAR NOT NULL,
    tolerance VARCHAR,
    valid_from DATE NOT NULL,
    deleted BOOLEAN NOT NULL,
    changed_at DATETIME NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (measure, scope, valid_from)
);
CREATE TABLE written_packages (
    service_segment VARCHAR NOT NULL,
    defect_share_max VARCHAR,
    order_fill_min VARCHAR,
    lead_time_days_max VARCHAR,
    delivery_window VARCHAR,
    payment_terms VARCHAR,
    support_level VARCHAR,
    valid_from DATE NOT NULL,
    deleted BOOLEAN NOT NULL,
    changed_at DATETIME NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (service_segment, valid_from)
);
-- revision 0003
CREATE TABLE saved_views (
    view_id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    owner VARCHAR NOT NULL,
    shared BOOLEAN NOT NULL,
    page VARCHAR NOT NULL,
    "query" TEXT NOT NULL,
    changed_at DATETIME NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (view_id)
);
CREATE TABLE alert_rules (
    rule_id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    owner VARCHAR NOT NULL,
    measure VARCHAR NOT NULL,
    rule TEXT NOT NULL,
    status VARCHAR NOT NULL,
    streak INTEGER NOT NULL,
    generation INTEGER,
    changed_at DATETIME NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (rule_id)
);
CREATE TABLE alert_readings (
    rule_id INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    at DATETIME NOT NULL,
    starts_on DATE NOT NULL,
    ends_on DATE NOT NULL,
    number VARCHAR,
    decided VARCHAR NOT NULL,
    event VARCHAR,
    PRIMARY KEY (rule_id, generation)
);
CREATE TABLE outbox (
    message_id VARCHAR NOT NULL,
    channel VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    body TEXT NOT NULL,
    due_at DATETIME NOT NULL,
    attempts INTEGER NOT NULL,
    sent_at DATETIME,
    error TEXT,
    PRIMARY KEY (message_id)
);

