// The tables of the flow store, as a history of migrations.

import SQLite

/// The tables of the flow store.
///
/// Every table is keyed by what the records say, never by when they were read, so that the rows are the same however the
/// records of different partitions were interleaved. Only `flow.number` and `flow.change` tell the order of reading.
enum FlowSchema {
    static let migrations = [
        Migration(
            "the flow store",
            """
            -- One row for a flow (a workflow instance): what lists and searches need.
            CREATE TABLE flow (
                number INTEGER PRIMARY KEY,     -- the order in which the store saw flows first
                id TEXT NOT NULL UNIQUE,        -- the correlation id
                subject TEXT,
                type TEXT,                      -- of the event that started it
                status TEXT NOT NULL,
                started INTEGER NOT NULL,       -- times are milliseconds since 1970
                ended INTEGER,
                updated INTEGER NOT NULL,
                events INTEGER NOT NULL,
                next_owed INTEGER,              -- when its status is to be looked at again without a new record
                change INTEGER NOT NULL         -- the number of the change that touched it last
            );
            CREATE INDEX flow_by_subject ON flow (subject) WHERE subject IS NOT NULL;
            CREATE INDEX flow_by_status ON flow (status);
            CREATE INDEX flow_by_updated ON flow (updated);
            CREATE INDEX flow_by_next_owed ON flow (next_owed) WHERE next_owed IS NOT NULL;
            CREATE INDEX flow_by_change ON flow (change);

            -- Events, those of one flow beside each other.
            CREATE TABLE event (
                flow INTEGER NOT NULL,
                id TEXT NOT NULL,
                type TEXT NOT NULL,
                source TEXT NOT NULL,
                topic TEXT NOT NULL,            -- where it was read; of several places the first
                partition INTEGER NOT NULL,
                offset INTEGER NOT NULL,
                time INTEGER NOT NULL,
                subject TEXT,
                cause TEXT,                     -- the id of the event that caused it
                tombstone INTEGER NOT NULL,     -- 1 for an event without a payload
                PRIMARY KEY (flow, id)
            ) WITHOUT ROWID;
            CREATE INDEX event_by_id ON event (id);
            CREATE INDEX event_by_type ON event (type, flow);

            -- What events carry, apart from them, so that reading a flow does not read payloads.
            CREATE TABLE payload (
                flow INTEGER NOT NULL,
                event TEXT NOT NULL,
                content_type TEXT,
                size INTEGER NOT NULL,          -- of the whole payload; bytes holds its beginning
                bytes BLOB
            );
            CREATE UNIQUE INDEX payload_by_event ON payload (flow, event);

            -- One row for each attempt of a service at an event.
            CREATE TABLE message (
                flow INTEGER NOT NULL,
                event TEXT NOT NULL,
                service TEXT NOT NULL,
                replays INTEGER NOT NULL,
                attempt INTEGER NOT NULL,
                status TEXT NOT NULL,           -- how it ended: handled, retrying, redirected, dead-lettered...
                type TEXT NOT NULL,
                topic TEXT NOT NULL,
                partition INTEGER NOT NULL,
                offset INTEGER NOT NULL,
                instance TEXT NOT NULL,
                time INTEGER NOT NULL,          -- when it began
                microseconds INTEGER NOT NULL,
                not_before INTEGER,
                error_type TEXT,
                error_message TEXT,
                published TEXT NOT NULL,        -- event ids, each followed by a line feed
                PRIMARY KEY (flow, event, service, replays, attempt, status)
            ) WITHOUT ROWID;

            -- One row for each step: what a service made of an event, or owes. Derived from the tables above.
            CREATE TABLE task (
                flow INTEGER NOT NULL,
                service TEXT NOT NULL,
                input TEXT NOT NULL,            -- the event it handles
                status TEXT NOT NULL,
                attempts INTEGER NOT NULL,
                output TEXT NOT NULL,           -- the events it published, each followed by a line feed
                owed INTEGER,
                started INTEGER,
                ended INTEGER,
                PRIMARY KEY (flow, service, input)
            ) WITHOUT ROWID;
            CREATE INDEX task_by_service ON task (service, flow);

            -- The registry: what services declare, and what their instances say of themselves.
            CREATE TABLE declaration (
                service TEXT NOT NULL,
                fingerprint TEXT NOT NULL,
                version TEXT NOT NULL,
                last_seen INTEGER NOT NULL,
                json TEXT NOT NULL,
                PRIMARY KEY (service, fingerprint)
            ) WITHOUT ROWID;
            CREATE TABLE service (
                name TEXT NOT NULL,
                instance TEXT NOT NULL,
                version TEXT NOT NULL,
                endpoint TEXT,
                last_seen INTEGER NOT NULL,
                json TEXT NOT NULL,
                PRIMARY KEY (name, instance)
            ) WITHOUT ROWID;
            -- Since when a service is known to handle a type.
            CREATE TABLE route (
                service TEXT NOT NULL,
                type TEXT NOT NULL,
                since INTEGER NOT NULL,
                PRIMARY KEY (service, type)
            ) WITHOUT ROWID;
            -- What the broker says of groups that have no instance to say it.
            CREATE TABLE lag (
                service TEXT NOT NULL PRIMARY KEY,
                records INTEGER NOT NULL,
                time INTEGER NOT NULL
            ) WITHOUT ROWID;

            -- The next offset to read, of the very transaction that holds what was read before it.
            CREATE TABLE position (
                topic TEXT NOT NULL,
                partition INTEGER NOT NULL,
                next INTEGER NOT NULL,
                PRIMARY KEY (topic, partition)
            ) WITHOUT ROWID;
            -- How many flows have each status.
            CREATE TABLE status_count (
                status TEXT NOT NULL PRIMARY KEY,
                flows INTEGER NOT NULL
            ) WITHOUT ROWID;
            -- Numbers of the store itself.
            CREATE TABLE counter (
                name TEXT NOT NULL PRIMARY KEY,
                value INTEGER NOT NULL
            ) WITHOUT ROWID;
            """),
        Migration(
            "who publishes and handles what",
            """
            -- Events counted by who published them and who handled them, over the flows that are kept.
            CREATE TABLE edge (
                number INTEGER PRIMARY KEY,
                publisher TEXT NOT NULL,        -- the events' source
                type TEXT NOT NULL,
                consumer TEXT NOT NULL,         -- the service; empty for the publications themselves
                count INTEGER NOT NULL,
                failures INTEGER NOT NULL,
                last INTEGER                    -- the time of the newest publication
            );
            CREATE UNIQUE INDEX edge_by_ends ON edge (publisher, type, consumer);
            CREATE INDEX edge_unused ON edge (number) WHERE count = 0;
            -- The edge that a task is counted in, once its event was read and an attempt is known.
            ALTER TABLE task ADD COLUMN edge INTEGER;
            ALTER TABLE task ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;
            INSERT INTO edge (publisher, type, consumer, count, failures, last)
                SELECT source, type, '', COUNT(*), 0, MAX(time) FROM event GROUP BY source, type;
            -- Every flow is reviewed, which counts its tasks.
            INSERT OR REPLACE INTO counter (name, value) SELECT 'review', COALESCE(MAX(number), 0) FROM flow;
            """),
        Migration(
            "reports that are missing",
            """
            -- Until when reports of a service's attempts may be missing: it lost some, or made none.
            CREATE TABLE unreported (
                service TEXT NOT NULL PRIMARY KEY,
                until INTEGER NOT NULL
            ) WITHOUT ROWID;
            """),
        Migration(
            "when flows were read",
            """
            -- When something of the flow was read last, by the tracker's clock: what events say of time is not to be trusted.
            ALTER TABLE flow ADD COLUMN read INTEGER NOT NULL DEFAULT 0;
            UPDATE flow SET read = MIN(updated, CAST(strftime('%s', 'now') AS INTEGER) * 1000);
            DROP INDEX flow_by_updated;
            CREATE INDEX flow_by_read ON flow (read);
            """),
        Migration(
            "where events were sent that failed",
            """
            -- The retry or dead-letter topic the event was sent to, as the report says.
            ALTER TABLE message ADD COLUMN sent_to TEXT;
            """),
        Migration(
            "lists in the order in which flows started",
            """
            -- The last started first, and of one millisecond the greatest id, whatever the order of reading was.
            CREATE INDEX flow_by_started ON flow (started, id);
            DROP INDEX flow_by_subject;
            CREATE INDEX flow_by_subject ON flow (subject, started, id) WHERE subject IS NOT NULL;
            DROP INDEX flow_by_status;
            CREATE INDEX flow_by_status ON flow (status, started, id);
            -- A row for each type that a flow's events have.
            CREATE TABLE flow_of_type (
                type TEXT NOT NULL,
                started INTEGER NOT NULL,
                id TEXT NOT NULL,
                flow INTEGER NOT NULL,
                PRIMARY KEY (type, started, id)
            ) WITHOUT ROWID;
            INSERT INTO flow_of_type (type, started, id, flow)
                SELECT DISTINCT event.type, flow.started, flow.id, flow.number
                FROM event JOIN flow ON flow.number = event.flow ORDER BY 1, 2, 3;
            DROP INDEX event_by_type;
            -- A row for each service that has tasks in a flow.
            CREATE TABLE flow_of_service (
                service TEXT NOT NULL,
                started INTEGER NOT NULL,
                id TEXT NOT NULL,
                flow INTEGER NOT NULL,
                PRIMARY KEY (service, started, id)
            ) WITHOUT ROWID;
            INSERT INTO flow_of_service (service, started, id, flow)
                SELECT DISTINCT task.service, flow.started, flow.id, flow.number
                FROM task JOIN flow ON flow.number = task.flow ORDER BY 1, 2, 3;
            DROP INDEX task_by_service;
            """),
    ]
}
