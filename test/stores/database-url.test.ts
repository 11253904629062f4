import { expect, test } from 'vitest';
import { databaseFrom } from '../../src/stores/database-url.ts';

test.each([
  [
    'postgres://shop:secret@db.example:5433/warehouse?sslmode=require&password=secret',
    'postgres://shop@db.example:5433/warehouse',
  ],
  ['postgresql://db.example/warehouse', 'postgres://db.example/warehouse'],
  ['postgres://db.example/warehouse?user=me@tenant', 'postgres://db.example/warehouse'],
  ['postgres:///warehouse?host=/run/postgresql', 'postgres:///run/postgresql/warehouse'],
  ['postgres://shop:secret@/warehouse?host=/cloudsql/shop:eu:db', 'postgres://shop@/cloudsql/shop:eu:db/warehouse'],
  ['postgres://shop:se,cret@db.example/warehouse?ssl=no-verify', 'postgres://shop@db.example/warehouse'],
  ['duckdb:./data/warehouse.duckdb', 'duckdb:./data/warehouse.duckdb'],
  ['duckdb:/var/warehouse.duckdb', 'duckdb:/var/warehouse.duckdb'],
  ['duckdb:///var/warehouse.duckdb', 'duckdb:///var/warehouse.duckdb'],
])('reads %s, and describes it without secrets', (url, describe) => {
  expect(databaseFrom(url).describe).toBe(describe);
});

test.each([
  ['mysql://root:secret@db/warehouse', /expected a URL like .* got mysql:…/],
  ['warehouse', /expected a URL like .* got no URL/],
  ['', /expected a URL like .* got no URL/],
  ['postgres://shop:secret@:port/warehouse', /expected postgres:\/\//],
  // Of these a URL makes a host, a port and the rest of the password.
  ['postgres://shop:12/secret@db/warehouse', /expected postgres:\/\/.* %2F for \//],
  ['postgres://shop:12?secret@db/warehouse', /expected postgres:\/\/.* %3F for \?/],
  ['postgres://shop:12#secret@db/warehouse', /expected postgres:\/\/.* %23 for #/],
  ['postgres://shop:secret#12@db/warehouse', /expected postgres:\/\/.* %23 for #/],
  ['postgres://shop:1,2/secret@db/warehouse', /expected postgres:\/\/.* %2F for \//],
  ['postgres://shop:secret@a,b/warehouse', /expected one host, .* got several/],
  ['postgres://shop:secret@a:5432,b:5432/warehouse?target_session_attrs=primary', /expected one host/],
  ['postgres://shop:secret@/warehouse?host=a,b', /expected one host/],
  // The client would look for a database of that name.
  ['postgres://shop:secret@db/warehouse ', /without blanks around it/],
  // The client would end the process, with `ssl=false` as well.
  ['postgres://shop:secret@db/warehouse?ssl=require', /expected sslmode=verify-full or sslmode=disable/],
  ['postgres://shop:secret@db/warehouse?ssl=false', /expected sslmode=verify-full or sslmode=disable/],
  ['duckdb://data/warehouse.duckdb', /expected duckdb:\.\/file or duckdb:\/folder\/file, got duckdb:\/\/…/],
  ['duckdb:', /expected the path of a file/],
  ['duckdb::memory:', /expected the path of a file/],
])('refuses %j, and shows no password', (url, message) => {
  expect(() => databaseFrom(url)).toThrow(TypeError);
  expect(() => databaseFrom(url)).toThrow(message);
  expect(() => databaseFrom(url)).not.toThrow(/secret/);
});
