import { z } from 'zod';
import { variable, wholeNumber } from './variable';

const BROKER = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/;
const pem = z.string().refine((text) => text.includes('-----BEGIN '), { error: 'has to be in PEM' });

/** Kafka: absent but for `KAFKA_BROKERS`, every other variable says how to reach it and what topics are made. */
export const kafka = {
  kafkaBrokers: variable(
    z
      .string()
      .transform((text) => text.split(',').map((broker) => broker.trim()))
      .refine((brokers) => brokers.every((broker) => BROKER.test(broker)), {
        error: 'has to be a list of host:port, separated by commas',
      })
      .optional(),
    {
      env: 'KAFKA_BROKERS',
      meaning:
        'Some of the brokers of an Apache Kafka 2.5 or newer, `host:port,host:port`: the worker delivers every event to it, and ingest the telemetry.',
      whenEmpty: 'Nothing goes to Kafka.',
    },
  ),
  kafkaTopicPrefix: variable(
    z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/, { error: 'has to be 1 to 64 letters, digits, _ and -' })
      .prefault('holdfast'),
    {
      env: 'KAFKA_TOPIC_PREFIX',
      meaning:
        'What topics begin with: events of `ledger.transfer.posted` are in `<prefix>.ledger`, telemetry in `<prefix>.telemetry`. Also the name of the sender: two systems on one Kafka need two.',
      whenEmpty: '`holdfast`.',
    },
  ),
  kafkaTopicPartitions: variable(wholeNumber(1, 10_000, 12), {
    env: 'KAFKA_TOPIC_PARTITIONS',
    meaning:
      'Partitions of a topic that is made because it is not there. More can be added later only at the cost of the order of each stream at that moment.',
    whenEmpty: '12: as many consumers of a group may share the work.',
  }),
  kafkaTopicReplicas: variable(wholeNumber(1, 32, 3), {
    env: 'KAFKA_TOPIC_REPLICAS',
    meaning: 'Replicas of a topic that is made. At most as many as there are brokers.',
    whenEmpty: '3.',
  }),
  kafkaTopicRetentionHours: variable(wholeNumber(1, 876_000, 168), {
    env: 'KAFKA_TOPIC_RETENTION_HOURS',
    meaning:
      'How long a topic that is made keeps messages, and with them events of tenants that have been erased since.',
    unit: 'hours',
    whenEmpty: '168: a week.',
  }),
  kafkaTls: variable(z.enum(['on', 'off']).default('off'), {
    env: 'KAFKA_TLS',
    meaning: 'Whether brokers are spoken to over TLS. Their names have to be in their certificates.',
    whenEmpty: '`off`.',
  }),
  kafkaTlsCa: variable(pem.optional(), {
    env: 'KAFKA_TLS_CA',
    meaning: 'Certificates of the authorities that brokers’ certificates are of, in PEM.',
    whenEmpty: 'Those that Node trusts.',
  }),
  kafkaTlsCert: variable(pem.optional(), {
    env: 'KAFKA_TLS_CERT',
    meaning: 'Certificate that the process shows to brokers, in PEM, with KAFKA_TLS_KEY.',
    whenEmpty: 'It shows none.',
  }),
  kafkaTlsKey: variable(pem.optional(), {
    env: 'KAFKA_TLS_KEY',
    meaning: 'Private key of KAFKA_TLS_CERT, in PEM.',
    whenEmpty: 'It shows no certificate.',
    secret: true,
  }),
  kafkaSaslMechanism: variable(z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']).default('SCRAM-SHA-512'), {
    env: 'KAFKA_SASL_MECHANISM',
    meaning: 'How the process proves who it is, where KAFKA_USERNAME is set. PLAIN is for TLS only.',
    whenEmpty: '`SCRAM-SHA-512`.',
  }),
  kafkaUsername: variable(z.string().min(1).optional(), {
    env: 'KAFKA_USERNAME',
    meaning: 'User of SASL, with KAFKA_PASSWORD.',
    whenEmpty: 'It does not sign in.',
  }),
  kafkaPassword: variable(z.string().min(1).optional(), {
    env: 'KAFKA_PASSWORD',
    meaning: 'Password of KAFKA_USERNAME.',
    whenEmpty: 'It does not sign in.',
    secret: true,
  }),
};
