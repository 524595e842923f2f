-- Invocations whose rows are gone and whose long output, which is kept elsewhere, may not be yet.
CREATE TABLE removed (
    invocation INTEGER PRIMARY KEY
);
