"""Run the migrations over the connection that `metrics.store.migrate` passes, in its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
