import { availableParallelism } from "node:os";

import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

const WORKERS = Math.max(2, availableParallelism());

/** The folder decides the runtime: workerd for the edge's tests, Node for the services'. */
export default defineConfig({
  test: {
    // Tests wait for processes, containers and time limits more than they compute.
    maxWorkers: WORKERS,
    projects: [
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              bindings: {
                KEY_SIGNING_SECRET: `b:${"k".repeat(32)},a:${"o".repeat(32)}`,
                EXECUTOR_SECRET: `a:${"e".repeat(32)}`,
                ADMIN_TOKEN: "t".repeat(32),
                WEBHOOK_SECRET: `a:${"w".repeat(32)}`,
                SANDBOX_URLS: "http://sandbox.test",
                LOG_REQUESTS: "off",
              },
            },
          }),
        ],
        test: {
          name: "workers",
          globalSetup: ["test/support/real-sandbox.ts"],
          include: ["test/{gateway,durable-objects,protocol}/**/*.test.ts"],
          exclude: ["test/durable-objects/{queue,lane}/**", "test/gateway/jobs/**"],
        },
      },
      {
        // The whole edge with a container lane, whose executor the tests play.
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              bindings: {
                KEY_SIGNING_SECRET: `a:${"k".repeat(32)}`,
                EXECUTOR_SECRET: `a:${"e".repeat(32)}`,
                ADMIN_TOKEN: "t".repeat(32),
                WEBHOOK_SECRET: `a:${"w".repeat(32)}`,
                SANDBOX_URLS: "http://sandbox.test",
                CONTAINER_URLS: "http://container.test",
                MAX_CONCURRENT_CONTAINERS: "2",
                CONTAINER_NETWORK: "*",
                RUN_WAIT_MAX_MS: "1500",
                LOG_REQUESTS: "off",
              },
            },
          }),
        ],
        test: { name: "jobs", include: ["test/gateway/jobs/**/*.test.ts"], testTimeout: 20_000 },
      },
      {
        // The queue's objects with Jobs that only note what they are told.
        plugins: [
          cloudflareTest({
            main: "./test/durable-objects/queue/worker.ts",
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              bindings: {
                KEY_SIGNING_SECRET: `a:${"k".repeat(32)}`,
                EXECUTOR_SECRET: `a:${"e".repeat(32)}`,
                ADMIN_TOKEN: "t".repeat(32),
                SANDBOX_URLS: "http://sandbox-1.test",
                MAX_CONCURRENT_ISOLATE_JOBS: "2",
                CONTAINER_URLS: "http://container-1.test,http://container-2.test",
                MAX_CONCURRENT_CONTAINERS: "2",
                QUEUE_MAX_PER_TENANT: "1000",
              },
            },
          }),
        ],
        test: { name: "queue", include: ["test/durable-objects/{queue,lane}/**/*.test.ts"] },
      },
      {
        test: {
          name: "node",
          include: [
            "test/{sandbox-worker,container-executor,executor-http,egress,egress-proxy,scripts,bench}/**/*.test.ts",
          ],
          execArgv: ["--no-node-snapshot"],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "end-to-end",
          include: ["test/end-to-end/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          // Alone, after the others: each starts a whole stack.
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
