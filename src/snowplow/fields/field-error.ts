/** A field holds what its type does not allow: `page_urlport: expected an integer, got "80x"`. */
export class FieldError extends TypeError {
  override readonly name = 'FieldError';
  /** `invalid_integer`, `invalid_number`, `invalid_boolean`, `invalid_timestamp` or `invalid_json`. */
  readonly code: string;
  /** The field's name. */
  readonly path: string;

  constructor(field: string, code: string, expected: string, got: string, options?: ErrorOptions) {
    super(`${field}: expected ${expected}, got ${JSON.stringify(got.length > 100 ? `${got.slice(0, 100)}…` : got)}`, options);
    this.code = code;
    this.path = field;
  }
}
