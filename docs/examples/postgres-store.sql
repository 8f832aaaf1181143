-- Run it after `buyerview access list` has created or upgraded the store: the dashboard adds to these tables only.
revoke update, delete on desk.audit_trail, desk.audit_chain, desk.run_history from buyerview_dashboard;
revoke insert, update, delete on desk.alembic_version from buyerview_dashboard;
