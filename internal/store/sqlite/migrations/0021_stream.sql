-- Events are written for every account now, and there are more kinds of them. out_from and out_to are how far a task's output went on, NULL if it
-- did not. Of a node (kind 6) state is core.NodeEvent and nothing but account, at and node matters.
ALTER TABLE events ADD COLUMN out_from INTEGER;
ALTER TABLE events ADD COLUMN out_to INTEGER;
-- Subscriptions never hear of output (kind 5), so that however much there is of it costs them nothing.
DROP INDEX events_account;
CREATE INDEX events_told ON events (account) WHERE kind <> 5;
