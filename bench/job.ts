import { runInNewContext } from "node:vm";

import { z } from "zod";

/**
 * The work that every contender does: twenty lines over 1.3 KB of JSON. The text is the same for all;
 * only the line that hands it its input and takes its answer differs.
 */
const JOB_SOURCE = `function transform(input) {
  const perCustomer = new Map();
  for (const order of input.orders) {
    const net = order.lines.reduce((sum, line) => sum + line.price * line.quantity, 0);
    const rate = input.taxRates[order.country] ?? 0;
    const entry = perCustomer.get(order.customer) ?? { customer: order.customer, orders: 0, net: 0, gross: 0, skus: new Set() };
    entry.orders += 1;
    entry.net += net;
    entry.gross += net * (1 + rate);
    for (const line of order.lines) entry.skus.add(line.sku.toUpperCase());
    perCustomer.set(order.customer, entry);
  }
  const customers = [...perCustomer.values()].map((entry) => ({
    ...entry,
    net: Math.round(entry.net * 100) / 100,
    gross: Math.round(entry.gross * 100) / 100,
    skus: [...entry.skus].sort(),
  }));
  return { customers: customers.sort((a, b) => b.gross - a.gross), total: customers.reduce((sum, c) => sum + c.gross, 0) };
}`;

interface Order {
  readonly id: string;
  readonly customer: string;
  readonly country: string;
  readonly lines: readonly {
    readonly sku: string;
    readonly quantity: number;
    readonly price: number;
  }[];
}

const CUSTOMERS = ["ada", "grace", "edsger"];
const COUNTRIES = ["de", "fr", "se"];

const orders: readonly Order[] = Array.from({ length: 10 }, (_, order) => ({
  id: `order-${1000 + order}`,
  customer: CUSTOMERS[order % CUSTOMERS.length] ?? "",
  country: COUNTRIES[(order * 2) % COUNTRIES.length] ?? "",
  lines: Array.from({ length: 1 + (order % 2) }, (_, line) => ({
    sku: `sku-${(order * 7 + line * 3) % 10}`,
    quantity: 1 + ((order + line) % 4),
    price: 4.25 + order * 1.5 + line,
  })),
}));

/** What the job is given, as JSON text. */
export const JOB_INPUT = JSON.stringify({
  taxRates: { de: 0.19, fr: 0.2, se: 0.25 },
  orders,
});

/** As a module, for Bulkhead. */
export const JOB_MODULE = `${JOB_SOURCE}\nexport default transform;\n`;

/** As a script whose value is the answer's JSON text, for bare isolated-vm. The global `input` holds JSON text. */
export const JOB_SCRIPT = `${JOB_SOURCE}\nJSON.stringify(transform(JSON.parse(input)));\n`;

/** As the body of a function, for n8n. `input` holds the parsed input. */
export const JOB_BODY = `${JOB_SOURCE}\nreturn transform(input);\n`;

/** What the job gives, as JSON text: every contender's every answer is held against it. */
export const JOB_OUTPUT: string = z
  .string()
  .parse(runInNewContext(JOB_SCRIPT, { input: JOB_INPUT }));
