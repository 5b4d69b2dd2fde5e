"""What administrators see and may do: access, search, and the API over one set of use cases.

It may not move a delivery itself (that is the outbox's) nor write an audit entry past `audit.notes`.
"""
