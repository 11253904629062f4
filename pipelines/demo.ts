import { demo } from '../src/demo/demo.ts';
import { warehouse } from './warehouse.ts';

/** `npm start`: the warehouse pipeline on sample traffic, with no cloud account. */
await demo(warehouse);
