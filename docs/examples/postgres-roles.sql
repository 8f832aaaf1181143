-- Roles for a warehouse on PostgreSQL, with the least rights. Run it once as a superuser, connected to the database.
-- Replace the name of the database, and give both roles a password with \password.
create role buyerview_run login;
create role buyerview_dashboard login;

revoke all on database buyerview from public;
revoke all on schema public from public;
grant connect, temporary on database buyerview to buyerview_run;
grant connect, temporary on database buyerview to buyerview_dashboard;  -- views of row scopes are temporary

-- The data: runs write, the dashboard reads.
create schema buyerview authorization buyerview_run;
grant usage on schema buyerview to buyerview_dashboard;
alter default privileges for role buyerview_run in schema buyerview grant select on tables to buyerview_dashboard;

-- The store: runs create its tables, and the dashboard saves user edits there.
create schema desk authorization buyerview_run;
grant usage on schema desk to buyerview_dashboard;
alter default privileges for role buyerview_run in schema desk
  grant select, insert, update, delete on tables to buyerview_dashboard;
alter default privileges for role buyerview_run in schema desk grant usage on sequences to buyerview_dashboard;
