BEGIN TRANSACTION;
CREATE TABLE messages (
	id VARCHAR(36) NOT NULL, 
	session_id VARCHAR(36) NOT NULL, 
	parent_id VARCHAR(36), 
	position INTEGER NOT NULL, 
	role VARCHAR(8) NOT NULL, 
	text TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	client_id TEXT NOT NULL, 
	model_name TEXT, 
	model_hash VARCHAR(64), 
	context_hash VARCHAR(64), 
	seed VARCHAR(24), 
	reply_index INTEGER, 
	sampling JSON, 
	tokens JSON, 
	ended VARCHAR(16), 
	log_probability DOUBLE, 
	filtered_log_probability DOUBLE, 
	latent JSON, 
	PRIMARY KEY (id), 
	CONSTRAINT messages_in_session UNIQUE (session_id, id), 
	CONSTRAINT messages_by_client_id UNIQUE (session_id, client_id), 
	CONSTRAINT messages_in_order UNIQUE (session_id, position), 
	CONSTRAINT parent_in_same_session FOREIGN KEY(session_id, parent_id) REFERENCES messages (session_id, id), 
	CONSTRAINT known_role CHECK (role IN ('user', 'bot')), 
	FOREIGN KEY(session_id) REFERENCES sessions (id)
);
INSERT INTO "messages" VALUES('03433647-0e63-4942-b4f6-2826499245eb','9ca97a6a-649d-443d-940b-21ab3c594d26',NULL,0,'user','hello','2026-11-21 08:28:36.232938','u0',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "messages" VALUES('78d132fb-8608-44dc-9b27-91960c6cf9a2','9ca97a6a-649d-443d-940b-21ab3c594d26','03433647-0e63-4942-b4f6-2826499245eb',1,'bot','hi','2026-11-21 08:28:36.256766','b0','hred','a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1','b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2','7',0,'{"method": "sample", "temperature": 1.0, "top_k": 3, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0, "no_repeat_ngram": 0, "min_tokens": 1, "max_tokens": 60, "beam_size": 5, "beam_groups": 1, "diversity": 0.5, "length_penalty": 1.0}','[5, 6, 2]','end',-1.5,-1.25,'[0.5, -2.0]');
CREATE TABLE owners (
	id VARCHAR(36) NOT NULL, 
	token_hash VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (token_hash)
);
INSERT INTO "owners" VALUES('48e2345d-d48c-47cf-bb4e-dd1ad5d3bdd4','4456d0d692969d1c2d820fac39fa8b6c159d59264c5820ef65fc73e7c714988a','2026-11-21 08:28:36.206025');
CREATE TABLE sessions (
	id VARCHAR(36) NOT NULL, 
	owner_id VARCHAR(36) NOT NULL, 
	title TEXT NOT NULL, 
	model_name TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	active_leaf_id VARCHAR(36), 
	PRIMARY KEY (id), 
	FOREIGN KEY(owner_id) REFERENCES owners (id)
);
INSERT INTO "sessions" VALUES('9ca97a6a-649d-443d-940b-21ab3c594d26','48e2345d-d48c-47cf-bb4e-dd1ad5d3bdd4','hello','hred','2026-11-21 08:28:36.218635','2026-11-21 08:28:36.256766','78d132fb-8608-44dc-9b27-91960c6cf9a2');
CREATE TABLE store_schema (
	id INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "store_schema" VALUES(1,1);
CREATE INDEX sessions_of_owner ON sessions (owner_id, updated_at, id);
CREATE INDEX messages_of_parent ON messages (session_id, parent_id, position);
COMMIT;
