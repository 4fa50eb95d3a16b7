"""Words every layer shares: errors, clock, schema, records, the session contract. Imports nothing of ours."""
