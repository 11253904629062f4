import { emptyDuckdb } from '../support/databases.ts';
import { databaseConformance } from './database.conformance.ts';

databaseConformance('duckdb', emptyDuckdb);
