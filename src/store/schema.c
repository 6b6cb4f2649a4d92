// SPDX-License-Identifier: GPL-3.0-or-later
#include "src/store/private.h"

/*
 * The database's shape. A released script is never changed: append one that leads on from it.
 * Times are microseconds since 1970. AUTOINCREMENT where an id names a folder or an order in time,
 * so that no id is ever used twice.
 */
static const char version_1[] =
    /* What the artist teaches. uuid names its folder; name_key is the case-folded name. */
    "CREATE TABLE styles ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  uuid TEXT NOT NULL UNIQUE,"
    "  name TEXT NOT NULL,"
    "  name_key TEXT NOT NULL,"
    "  created INTEGER NOT NULL,"
    "  model_hash TEXT NOT NULL,"
    "  model_name TEXT NOT NULL,"
    "  rank INTEGER NOT NULL CHECK (rank > 0),"
    "  strength REAL NOT NULL,"
    "  deleted INTEGER,"                                       /* when; NULL: living */
    "  current_version INTEGER REFERENCES style_versions (id)" /* NULL: the bare model */
    ") STRICT;"
    "CREATE UNIQUE INDEX living_names ON styles (name_key) WHERE deleted IS NULL;"

    "CREATE TABLE style_versions ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  style INTEGER NOT NULL REFERENCES styles (id),"
    "  number INTEGER NOT NULL,"
    "  parent INTEGER REFERENCES style_versions (id),"
    "  adapter_file TEXT NOT NULL,"
    "  created INTEGER NOT NULL,"
    "  run INTEGER REFERENCES runs (id),"
    "  UNIQUE (style, number)"
    ") STRICT;"
    "CREATE INDEX versions_of_run ON style_versions (run);"

    "CREATE TABLE rounds ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  style INTEGER REFERENCES styles (id),"                 /* that its picks teach */
    "  style_version INTEGER REFERENCES style_versions (id)," /* that sampled it */
    "  style_strength REAL NOT NULL,"
    "  prompt TEXT NOT NULL,"
    "  negative_prompt TEXT,"
    "  model_path TEXT NOT NULL,"
    "  model_name TEXT NOT NULL,"
    "  model_hash TEXT NOT NULL,"
    "  width INTEGER NOT NULL,"
    "  height INTEGER NOT NULL,"
    "  steps INTEGER NOT NULL,"
    "  guidance REAL NOT NULL,"
    "  eta REAL NOT NULL,"
    "  seed INTEGER NOT NULL,"
    "  sampler TEXT NOT NULL,"
    "  prediction_type TEXT NOT NULL,"
    "  device TEXT,"
    "  precision TEXT,"
    "  start TEXT NOT NULL CHECK (start IN ('text', 'picture', 'selection')),"
    "  start_strength REAL NOT NULL,"
    "  start_file TEXT,"
    "  mask_file TEXT,"
    "  created INTEGER NOT NULL,"
    "  state TEXT NOT NULL CHECK (state IN ('running', 'complete', 'cancelled', 'failed')),"
    "  session TEXT"
    ") STRICT;"
    "CREATE INDEX rounds_of_style ON rounds (style);"
    "CREATE INDEX running_rounds ON rounds (session) WHERE state = 'running';"

    "CREATE TABLE candidates ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  round INTEGER NOT NULL REFERENCES rounds (id),"
    "  place INTEGER NOT NULL CHECK (place >= 0)," /* in the round, from 0 */
    "  seed INTEGER NOT NULL,"
    "  picture_file TEXT,"
    "  trajectory_file TEXT,"
    "  state TEXT NOT NULL CHECK (state IN ('running', 'complete', 'cancelled', 'failed')),"
    "  UNIQUE (round, place)"
    ") STRICT;"

    /* A log: rows are only ever added. A round's valid pick is its latest that is not undone. */
    "CREATE TABLE picks ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  round INTEGER NOT NULL REFERENCES rounds (id),"
    "  created INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX picks_of_round ON picks (round);"
    "CREATE TABLE pick_ranks ("
    "  pick INTEGER NOT NULL REFERENCES picks (id),"
    "  candidate INTEGER NOT NULL REFERENCES candidates (id),"
    "  rank INTEGER NOT NULL," /* higher is better */
    "  PRIMARY KEY (pick, candidate)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE runs ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  style INTEGER NOT NULL REFERENCES styles (id),"
    "  from_version INTEGER REFERENCES style_versions (id),"
    "  to_version INTEGER REFERENCES style_versions (id),"
    "  created INTEGER NOT NULL,"
    "  ended INTEGER,"
    "  learning_rate REAL NOT NULL,"
    "  weight_decay REAL NOT NULL,"
    "  max_grad_norm REAL NOT NULL,"
    "  beta REAL NOT NULL,"
    "  clip REAL NOT NULL,"
    "  epochs INTEGER NOT NULL,"
    "  timestep_fraction REAL NOT NULL,"
    "  rank INTEGER NOT NULL,"
    "  seed INTEGER NOT NULL,"
    "  state TEXT NOT NULL"
    "    CHECK (state IN ('running', 'paused', 'finished', 'failed', 'abandoned')),"
    "  message TEXT,"
    "  steps_done INTEGER NOT NULL CHECK (steps_done >= 0),"
    "  steps_total INTEGER NOT NULL,"
    "  checkpoint_file TEXT,"
    "  session TEXT"
    ") STRICT;"
    "CREATE UNIQUE INDEX unfinished_runs ON runs (style) WHERE state IN ('running', 'paused');"
    "CREATE TABLE run_picks ("
    "  run INTEGER NOT NULL REFERENCES runs (id),"
    "  pick INTEGER NOT NULL REFERENCES picks (id),"
    "  PRIMARY KEY (run, pick)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX runs_of_pick ON run_picks (pick);"
    "CREATE TABLE training_steps ("
    "  run INTEGER NOT NULL REFERENCES runs (id),"
    "  step INTEGER NOT NULL CHECK (step > 0),"
    "  loss REAL," /* REAL columns hold NULL for what is not a number */
    "  margin REAL,"
    "  agreement REAL,"
    "  grad_norm REAL,"
    "  seconds REAL,"
    "  PRIMARY KEY (run, step)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE comparisons ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  style_version INTEGER NOT NULL REFERENCES style_versions (id),"
    "  seed INTEGER NOT NULL,"
    "  prompt TEXT NOT NULL,"
    "  choice TEXT NOT NULL CHECK (choice IN ('with', 'without', 'neither')),"
    "  created INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX comparisons_of_version ON comparisons (style_version);"

    /* What undo goes back through. Each kind fills the columns that it needs to be undone. */
    "CREATE TABLE actions ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  kind TEXT NOT NULL CHECK (kind IN ('pick', 'rename', 'delete', 'restore', 'version')),"
    "  created INTEGER NOT NULL,"
    "  state TEXT NOT NULL CHECK (state IN ('done', 'undone', 'discarded')),"
    "  pick INTEGER UNIQUE REFERENCES picks (id),"
    "  style INTEGER REFERENCES styles (id),"
    "  old_name TEXT,"
    "  new_name TEXT,"
    "  old_version INTEGER REFERENCES style_versions (id),"
    "  new_version INTEGER REFERENCES style_versions (id)"
    ") STRICT;"

    "CREATE VIEW valid_picks AS"
    "  SELECT picks.* FROM picks WHERE id ="
    "    (SELECT MAX(p.id) FROM picks p JOIN actions a ON a.pick = p.id"
    "     WHERE p.round = picks.round AND a.state = 'done');";

/* Version 1 took all of a round's timesteps in one update, which 0 means. */
static const char version_2[] =
    "ALTER TABLE runs ADD COLUMN timesteps_per_update INTEGER NOT NULL DEFAULT 0;";

/* Where a style's model was found when the style was made, and what was added to it. */
static const char version_3[] = "ALTER TABLE styles ADD COLUMN model_path TEXT;";

/* Earlier versions learnt from the steps as they were sampled. */
static const char version_4[] = "ALTER TABLE runs ADD COLUMN hindsight INTEGER NOT NULL DEFAULT 0;";

/* In earlier versions what lost weighed as much as what won. */
static const char version_5[] = "ALTER TABLE runs ADD COLUMN loser_weight REAL NOT NULL DEFAULT 1;";

/* In earlier versions the policy was the guided prediction. */
static const char version_6[] = "ALTER TABLE runs ADD COLUMN guided INTEGER NOT NULL DEFAULT 1;";

/* Changes of a style's strength and comparisons can be undone, too. */
static const char version_7[] =
    "DROP VIEW valid_picks;"
    "ALTER TABLE actions RENAME TO old_actions;"
    "CREATE TABLE actions ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  kind TEXT NOT NULL CHECK (kind IN ('pick', 'rename', 'delete', 'restore', 'version',"
    "    'strength', 'comparison')),"
    "  created INTEGER NOT NULL,"
    "  state TEXT NOT NULL CHECK (state IN ('done', 'undone', 'discarded')),"
    "  pick INTEGER UNIQUE REFERENCES picks (id),"
    "  style INTEGER REFERENCES styles (id),"
    "  old_name TEXT,"
    "  new_name TEXT,"
    "  old_version INTEGER REFERENCES style_versions (id),"
    "  new_version INTEGER REFERENCES style_versions (id),"
    "  comparison INTEGER UNIQUE REFERENCES comparisons (id),"
    "  old_strength REAL,"
    "  new_strength REAL"
    ") STRICT;"
    "INSERT INTO actions SELECT *, NULL, NULL, NULL FROM old_actions;"
    "DROP TABLE old_actions;"
    "CREATE VIEW valid_picks AS"
    "  SELECT picks.* FROM picks WHERE id ="
    "    (SELECT MAX(p.id) FROM picks p JOIN actions a ON a.pick = p.id"
    "     WHERE p.round = picks.round AND a.state = 'done');"
    /* Earlier comparisons have no action. */
    "CREATE VIEW valid_comparisons AS"
    "  SELECT comparisons.* FROM comparisons WHERE NOT EXISTS"
    "    (SELECT 1 FROM actions a WHERE a.comparison = comparisons.id AND a.state <> 'done');";

/* Where in which image a round's pictures belong (places.h). */
static const char version_8[] =
    "CREATE TABLE places ("
    "  id INTEGER PRIMARY KEY,"
    "  round INTEGER NOT NULL UNIQUE REFERENCES rounds (id) ON DELETE CASCADE,"
    "  image TEXT NOT NULL,"
    "  image_name TEXT NOT NULL,"
    "  layer INTEGER NOT NULL,"
    "  x INTEGER NOT NULL,"
    "  y INTEGER NOT NULL,"
    "  width INTEGER NOT NULL CHECK (width >= 0),"
    "  height INTEGER NOT NULL CHECK (height >= 0),"
    "  mask_file TEXT"
    ") STRICT;"
    "CREATE INDEX places_of_image ON places (image);";

/* Earlier prompts were words and nothing else (src/formats/prompt.h). */
static const char version_9[] =
    "ALTER TABLE rounds ADD COLUMN words INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE rounds ADD COLUMN clip_skip INTEGER NOT NULL DEFAULT 1;";

/* In earlier versions a lesson went on from the last one's result, once through its rounds. */
static const char version_10[] = "ALTER TABLE runs ADD COLUMN afresh INTEGER NOT NULL DEFAULT 0;"
                                "ALTER TABLE runs ADD COLUMN updates INTEGER NOT NULL DEFAULT 0;"
                                "ALTER TABLE runs ADD COLUMN falling_rate INTEGER NOT NULL DEFAULT 0;";

/* What a predictor of picks needs and says (guesses.h), and where rounds come from that were not drawn
 * from noise alone, as many as are shown. */
static const char version_11[] =
    "ALTER TABLE candidates ADD COLUMN features_file TEXT;"
    "ALTER TABLE candidates ADD COLUMN score REAL;"
    "ALTER TABLE rounds ADD COLUMN made INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE rounds ADD COLUMN origin INTEGER REFERENCES candidates (id);"
    "ALTER TABLE rounds ADD COLUMN own_picture TEXT;"
    "CREATE INDEX rounds_of_own_picture ON rounds (own_picture) WHERE own_picture IS NOT NULL;";

/* What of a round a style brings along (src/studio/recipe.h), whose changes can be undone. */
static const char version_12[] =
    "ALTER TABLE styles ADD COLUMN recipe TEXT;"
    "DROP VIEW valid_picks;"
    "DROP VIEW valid_comparisons;"
    "ALTER TABLE actions RENAME TO old_actions;"
    "CREATE TABLE actions ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  kind TEXT NOT NULL CHECK (kind IN ('pick', 'rename', 'delete', 'restore', 'version',"
    "    'strength', 'comparison', 'recipe')),"
    "  created INTEGER NOT NULL,"
    "  state TEXT NOT NULL CHECK (state IN ('done', 'undone', 'discarded')),"
    "  pick INTEGER UNIQUE REFERENCES picks (id),"
    "  style INTEGER REFERENCES styles (id),"
    "  old_name TEXT,"
    "  new_name TEXT,"
    "  old_version INTEGER REFERENCES style_versions (id),"
    "  new_version INTEGER REFERENCES style_versions (id),"
    "  comparison INTEGER UNIQUE REFERENCES comparisons (id),"
    "  old_strength REAL,"
    "  new_strength REAL,"
    "  old_recipe TEXT,"
    "  new_recipe TEXT"
    ") STRICT;"
    "INSERT INTO actions SELECT *, NULL, NULL FROM old_actions;"
    "DROP TABLE old_actions;"
    "CREATE VIEW valid_picks AS"
    "  SELECT picks.* FROM picks WHERE id ="
    "    (SELECT MAX(p.id) FROM picks p JOIN actions a ON a.pick = p.id"
    "     WHERE p.round = picks.round AND a.state = 'done');"
    "CREATE VIEW valid_comparisons AS"
    "  SELECT comparisons.* FROM comparisons WHERE NOT EXISTS"
    "    (SELECT 1 FROM actions a WHERE a.comparison = comparisons.id AND a.state <> 'done');";

/* Rounds can be thrown away (trash.h); their picks then teach nobody. */
static const char version_13[] =
    "ALTER TABLE rounds ADD COLUMN deleted INTEGER;" /* when; NULL: not */
    "CREATE INDEX deleted_rounds ON rounds (deleted) WHERE deleted IS NOT NULL;"
    "DROP VIEW valid_picks;"
    "CREATE VIEW valid_picks AS"
    "  SELECT picks.* FROM picks WHERE id ="
    "    (SELECT MAX(p.id) FROM picks p JOIN actions a ON a.pick = p.id"
    "     WHERE p.round = picks.round AND a.state = 'done')"
    "  AND (SELECT deleted IS NULL FROM rounds WHERE id = picks.round);";

/* How far guidance's contrast was taken back, which earlier versions did not keep, and timesteps that were
 * given one by one. */
static const char version_14[] =
    "ALTER TABLE rounds ADD COLUMN guidance_rescale REAL NOT NULL DEFAULT -1;"
    "ALTER TABLE rounds ADD COLUMN timesteps TEXT;";

static const char version_15[] = "ALTER TABLE runs ADD COLUMN one_pair INTEGER NOT NULL DEFAULT 0;";
static const char version_16[] = "ALTER TABLE runs ADD COLUMN word INTEGER NOT NULL DEFAULT 0;";

/* Whose a pick is (artists.h); earlier ones are of the one whose store it is. Picks that came from other stores
 * have no action: they are not undone. */
static const char version_17[] =
    "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "ALTER TABLE picks ADD COLUMN artist TEXT NOT NULL DEFAULT '';"
    "UPDATE picks SET artist = pen_login();"
    "CREATE INDEX rounds_of_seed ON rounds (seed);"
    "DROP VIEW valid_picks;"
    "CREATE VIEW valid_picks AS"
    "  SELECT picks.* FROM picks WHERE id ="
    "    (SELECT MAX(p.id) FROM picks p WHERE p.round = picks.round AND p.artist = picks.artist"
    "     AND NOT EXISTS (SELECT 1 FROM actions a WHERE a.pick = p.id AND a.state <> 'done'))"
    "  AND (SELECT deleted IS NULL FROM rounds WHERE id = picks.round);";

/* What a round is known by in every store (import.h); NULL until somebody asks. */
static const char version_18[] =
    "ALTER TABLE rounds ADD COLUMN content TEXT;"
    "CREATE INDEX rounds_of_content ON rounds (content) WHERE content IS NOT NULL;";

const char *const pen_store_migrations[] = { version_1, version_2, version_3, version_4,
                                             version_5, version_6, version_7, version_8,
                                             version_9, version_10, version_11, version_12,
                                             version_13, version_14, version_15, version_16,
                                             version_17, version_18, NULL };
