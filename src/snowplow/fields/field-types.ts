import type { fields } from './fields.ts';
import type { SelfDescribing } from '../self-describing.ts';

/** The value of each field, read by the getter of its name. An empty field is undefined. */
export type FieldValues = {
  readonly [F in (typeof fields)[number] as F['name']]: F extends { readonly required: true }
    ? ValueOf<F>
    : ValueOf<F> | undefined;
};

export type FieldName = keyof FieldValues;

type ValueOf<F extends (typeof fields)[number]> = F extends { readonly type: 'json' }
  ? F['name'] extends 'unstruct_event'
    ? SelfDescribing<SelfDescribing>
    : SelfDescribing<readonly SelfDescribing[]>
  : {
      readonly string: string;
      readonly integer: number;
      readonly number: number;
      readonly boolean: boolean;
      readonly timestamp: Date;
    }[Exclude<F['type'], 'json'>];
