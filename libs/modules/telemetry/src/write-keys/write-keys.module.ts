import type { Database } from '@holdfast/database';
import { WriteKeySigner } from '@holdfast/ingest';
import { type DynamicModule, Module } from '@nestjs/common';
import { CreateWriteKeyHandler } from './create-write-key.command';
import { PublishedKeyList } from './published-key-list';
import { RevokeWriteKeyHandler } from './revoke-write-key.command';
import { WriteKeySigning } from './write-key';
import './write-keys.aggregates';
import { WriteKeysController } from './write-keys.controller';
import { WriteKeysHandler } from './write-keys.query';
import { WriteKeysResolver } from './write-keys.resolver';

/** What write keys need besides the tenants' database. */
export interface WriteKeysOptions {
  /** In the role holdfast_auth: the list of what ingest refuses is about all tenants. */
  readonly auth: Database;
  /** Signs keys and the list: PKCS #8 in DER, as base64. Without it no key is made. */
  readonly privateKey: string | undefined;
}

/** The keys that telemetry is sent with, and the list of those that ingest refuses. */
@Module({})
export class WriteKeysModule {
  static forRoot({ auth, privateKey }: WriteKeysOptions): DynamicModule {
    const signer = privateKey === undefined ? undefined : new WriteKeySigner(privateKey);
    return {
      module: WriteKeysModule,
      controllers: [WriteKeysController],
      providers: [
        { provide: WriteKeySigning, useValue: new WriteKeySigning(signer) },
        { provide: PublishedKeyList, useValue: new PublishedKeyList(auth, signer) },
        CreateWriteKeyHandler,
        RevokeWriteKeyHandler,
        WriteKeysHandler,
        WriteKeysResolver,
      ],
    };
  }
}
