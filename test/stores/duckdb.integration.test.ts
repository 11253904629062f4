import { emptyDuckdb } from '../support/databases.ts';
import { databaseConformance } from './database.conformance.ts';
import { rejectSourceConformance } from './reject-source.conformance.ts';

databaseConformance('duckdb', emptyDuckdb);
rejectSourceConformance('duckdb', emptyDuckdb);
