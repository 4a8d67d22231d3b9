-- The sealer reads and writes the logs of all tenants of a round in one statement, each found by its key. Safe under load: rows
-- of a list that only the doctor reads.
set local role holdfast_owner;

insert into tenancy.exemptions (rule, object, reason, owner) values
  (18, 'audit.list_due_tenants', 'the sealer asks which tenants have events without leaves, in a role that may write nothing but their logs', 'audit'),
  (18, 'audit.find_resting_tenant', 'the sealer asks whether any tenant will be due once it has rested', 'audit'),
  (18, 'audit.list_trees', 'the sealer compares the logs of all tenants with what it has signed', 'audit'),
  (18, 'audit.list_stale_trees', 'the sealer asks which tenants'' logs began in another lineage', 'audit'),
  (18, 'audit.update_trees', 'the sealer moves the trees of a round''s tenants, each by its key', 'audit'),
  (18, 'audit.read_tiles', 'the sealer reads the tiles of a round''s tenants, each by its key', 'audit'),
  (18, 'audit.read_high_seqs', 'the sealer reads the edges of a round''s tenants, each by its key', 'audit'),
  (18, 'audit.find_newest_checkpoints', 'the sealer reads the checkpoints of a round''s tenants, each by its key', 'audit');
