"""One module a version; `app.store.upgrading` runs them in their order, each in one transaction."""
