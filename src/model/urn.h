/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* urn.h - every URN that libbeam writes or understands, in one place.
 *
 * Those that begin with beam: are Beam's (beam_runner_api.proto, standard_window_fns.proto,
 * beam_fn_api.proto and metrics.proto say what each means); those that begin with libbeam:
 * are this project's own and mean something only to its workers. */
#ifndef MODEL_URN_H
#define MODEL_URN_H

/* Transforms an engine knows by itself. */
#define BEAM_URN_IMPULSE "beam:transform:impulse:v1"
#define BEAM_URN_PARDO "beam:transform:pardo:v1"
#define BEAM_URN_FLATTEN "beam:transform:flatten:v1"
#define BEAM_URN_GROUP_BY_KEY "beam:transform:group_by_key:v1"
#define BEAM_URN_WINDOW_INTO "beam:transform:window_into:v1"
#define BEAM_URN_MAP_WINDOWS "beam:transform:map_windows:v1"
#define BEAM_URN_MERGE_WINDOWS "beam:transform:merge_windows:v1"

/* Composites an engine may replace by something better. */
#define BEAM_URN_COMBINE_PER_KEY "beam:transform:combine_per_key:v1"
#define BEAM_URN_COMBINE_GLOBALLY "beam:transform:combine_globally:v1"
#define BEAM_URN_RESHUFFLE "beam:transform:reshuffle:v1"

/* Parts of a combine. */
#define BEAM_URN_COMBINE_GROUPED_VALUES "beam:transform:combine_grouped_values:v1"
#define BEAM_URN_COMBINE_PRECOMBINE "beam:transform:combine_per_key_precombine:v1"
#define BEAM_URN_COMBINE_MERGE "beam:transform:combine_per_key_merge_accumulators:v1"
#define BEAM_URN_COMBINE_EXTRACT "beam:transform:combine_per_key_extract_outputs:v1"
#define BEAM_URN_COMBINE_CONVERT "beam:transform:combine_per_key_convert_to_accumulators:v1"

/* Parts of a splittable ParDo. */
#define BEAM_URN_SDF_PAIR "beam:transform:sdf_pair_with_restriction:v1"
#define BEAM_URN_SDF_SPLIT "beam:transform:sdf_split_and_size_restrictions:v1"
#define BEAM_URN_SDF_PROCESS "beam:transform:sdf_process_sized_element_and_restrictions:v1"
#define BEAM_URN_SDF_TRUNCATE "beam:transform:sdf_truncate_sized_restrictions:v1"

/* Where data enters and leaves a bundle. */
#define BEAM_URN_DATA_SOURCE "beam:runner:source:v1"
#define BEAM_URN_DATA_SINK "beam:runner:sink:v1"

/* Coders. Row, kv and the scalars are those of beam_kind. */
#define BEAM_URN_CODER_BYTES "beam:coder:bytes:v1"
#define BEAM_URN_CODER_STRING "beam:coder:string_utf8:v1"
#define BEAM_URN_CODER_BOOL "beam:coder:bool:v1"
#define BEAM_URN_CODER_VARINT "beam:coder:varint:v1"
#define BEAM_URN_CODER_DOUBLE "beam:coder:double:v1"
#define BEAM_URN_CODER_KV "beam:coder:kv:v1"
#define BEAM_URN_CODER_ITERABLE "beam:coder:iterable:v1"
#define BEAM_URN_CODER_STATE_BACKED_ITERABLE "beam:coder:state_backed_iterable:v1"
#define BEAM_URN_CODER_NULLABLE "beam:coder:nullable:v1"
#define BEAM_URN_CODER_ROW "beam:coder:row:v1"
#define BEAM_URN_CODER_LENGTH_PREFIX "beam:coder:length_prefix:v1"
#define BEAM_URN_CODER_GLOBAL_WINDOW "beam:coder:global_window:v1"
#define BEAM_URN_CODER_INTERVAL_WINDOW "beam:coder:interval_window:v1"
#define BEAM_URN_CODER_CUSTOM_WINDOW "beam:coder:custom_window:v1"
#define BEAM_URN_CODER_WINDOWED_VALUE "beam:coder:windowed_value:v1"
#define BEAM_URN_CODER_PARAM_WINDOWED_VALUE "beam:coder:param_windowed_value:v1"
#define BEAM_URN_CODER_TIMER "beam:coder:timer:v1"
#define BEAM_URN_CODER_SHARDED_KEY "beam:coder:sharded_key:v1"

/* Window functions. */
#define BEAM_URN_WINDOW_FN_GLOBAL "beam:window_fn:global_windows:v1"
#define BEAM_URN_WINDOW_FN_FIXED "beam:window_fn:fixed_windows:v1"
#define BEAM_URN_WINDOW_FN_SLIDING "beam:window_fn:sliding_windows:v1"
#define BEAM_URN_WINDOW_FN_SESSION "beam:window_fn:session_windows:v1"

/* Side inputs: how a worker reads them, and (ours) what the DoFn sees. */
#define BEAM_URN_SIDE_INPUT_ITERABLE "beam:side_input:iterable:v1"
#define BEAM_URN_SIDE_INPUT_MULTIMAP "beam:side_input:multimap:v1"
#define BEAM_URN_VIEW_ITERABLE "libbeam:view_fn:iterable:v1"
#define BEAM_URN_VIEW_SINGLETON "libbeam:view_fn:singleton:v1"
#define BEAM_URN_VIEW_MAP "libbeam:view_fn:map:v1"
#define BEAM_URN_VIEW_MULTIMAP "libbeam:view_fn:multimap:v1"
#define BEAM_URN_WINDOW_MAPPING "libbeam:window_mapping_fn:same_end:v1"

/* Functions of this library; the payload is a beam_pb.Function. */
#define BEAM_URN_DOFN "libbeam:dofn:v1"
#define BEAM_URN_COMBINEFN "libbeam:combinefn:v1"

/* Annotations of transforms; their values are empty. */
#define BEAM_URN_ANNOTATION_BATCHES "libbeam:annotation:batches:v1"

/* Environments and their resource hints. */
#define BEAM_URN_ENV_DOCKER "beam:env:docker:v1"
#define BEAM_URN_ENV_PROCESS "beam:env:process:v1"
#define BEAM_URN_ENV_EXTERNAL "beam:env:external:v1"
#define BEAM_URN_ENV_DEFAULT "beam:env:default:v1"
#define BEAM_URN_HINT_ACCELERATOR "beam:resources:accelerator:v1"
#define BEAM_URN_HINT_MIN_RAM "beam:resources:min_ram_bytes:v1"
#define BEAM_URN_HINT_CPU_COUNT "beam:resources:cpu_count:v1"
#define BEAM_URN_HINT_MAX_BUNDLES "beam:resources:max_active_bundles_per_worker:v1"

/* Files that go with a pipeline. */
#define BEAM_URN_ARTIFACT_FILE "beam:artifact:type:file:v1"
#define BEAM_URN_ARTIFACT_URL "beam:artifact:type:url:v1"
#define BEAM_URN_ARTIFACT_STAGING_TO "beam:artifact:role:staging_to:v1"

/* What a worker of an environment can do, and what a pipeline cannot do without. */
#define BEAM_URN_PROTOCOL_STATE_CACHING "beam:protocol:state_caching:v1"
#define BEAM_URN_PROTOCOL_DATA_SAMPLING "beam:protocol:data_sampling:v1"
#define BEAM_URN_PROTOCOL_HARNESS_METRICS "beam:protocol:harness_monitoring_infos:v1"
#define BEAM_URN_PROTOCOL_WORKER_STATUS "beam:protocol:worker_status:v1"
#define BEAM_URN_PROTOCOL_PROGRESS "beam:protocol:progress_reporting:v1"
#define BEAM_URN_PROTOCOL_MULTI_CORE "beam:protocol:multi_core_bundle_processing:v1"
#define BEAM_URN_REQUIREMENT_SPLITTABLE "beam:requirement:pardo:splittable_dofn:v1"
#define BEAM_URN_REQUIREMENT_FINALIZATION "beam:requirement:pardo:finalization:v1"

/* Metrics: what is counted, and how it travels. */
#define BEAM_URN_METRIC_USER_COUNTER "beam:metric:user:sum_int64:v1"
#define BEAM_URN_METRIC_USER_DISTRIBUTION "beam:metric:user:distribution_int64:v1"
#define BEAM_URN_METRIC_USER_GAUGE "beam:metric:user:latest_int64:v1"
#define BEAM_URN_METRIC_USER_SET_STRING "beam:metric:user:set_string:v1"
#define BEAM_URN_METRIC_ELEMENT_COUNT "beam:metric:element_count:v1"
#define BEAM_URN_METRIC_SAMPLED_BYTES "beam:metric:sampled_byte_size:v1"
#define BEAM_URN_METRIC_START_MSECS "beam:metric:pardo_execution_time:start_bundle_msecs:v1"
#define BEAM_URN_METRIC_PROCESS_MSECS "beam:metric:pardo_execution_time:process_bundle_msecs:v1"
#define BEAM_URN_METRIC_FINISH_MSECS "beam:metric:pardo_execution_time:finish_bundle_msecs:v1"
#define BEAM_URN_METRIC_TOTAL_MSECS "beam:metric:ptransform_execution_time:total_msecs:v1"
#define BEAM_URN_METRIC_READ_INDEX "beam:metric:data_channel:read_index:v1"
#define BEAM_URN_METRICS_SUM_INT64 "beam:metrics:sum_int64:v1"
#define BEAM_URN_METRICS_DISTRIBUTION_INT64 "beam:metrics:distribution_int64:v1"
#define BEAM_URN_METRICS_LATEST_INT64 "beam:metrics:latest_int64:v1"
#define BEAM_URN_METRICS_SET_STRING "beam:metrics:set_string:v1"

/* Local names of transforms' inputs and outputs: a proto keeps them in maps, so names carry
 * the order. */
#define BEAM_LOCAL_INPUT "in"   /* the input of a transform; input i of a Flatten: "in<i>" */
#define BEAM_LOCAL_SIDE "side"  /* side input i of a ParDo: "side<i>" */
#define BEAM_LOCAL_OUTPUT "out" /* output i: "out<i>" */

#endif
