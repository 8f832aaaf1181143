"""What Alembic runs: our migrations over the connection `migrating` handed it, in that connection's transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
