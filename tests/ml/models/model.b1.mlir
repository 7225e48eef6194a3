module @jit_classify attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<4xf32>, %arg1: tensor<4x1x3x3xf32>, %arg2: tensor<10xf32>, %arg3: tensor<256x10xf32>, %arg4: tensor<1x1x8x8xf32>) -> (tensor<1x10xf32> {jax.result_info = "result"}) {
    %0 = stablehlo.convolution(%arg4, %arg1) dim_numbers = [b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1], reverse = [false, false]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<1x1x8x8xf32>, tensor<4x1x3x3xf32>) -> tensor<1x4x8x8xf32>
    %1 = stablehlo.broadcast_in_dim %arg0, dims = [0] : (tensor<4xf32>) -> tensor<4x1x1xf32>
    %2 = stablehlo.broadcast_in_dim %1, dims = [1, 2, 3] : (tensor<4x1x1xf32>) -> tensor<1x4x1x1xf32>
    %3 = stablehlo.broadcast_in_dim %2, dims = [0, 1, 2, 3] : (tensor<1x4x1x1xf32>) -> tensor<1x4x8x8xf32>
    %4 = stablehlo.add %0, %3 : tensor<1x4x8x8xf32>
    %5 = call @relu(%4) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
    %6 = stablehlo.reshape %5 : (tensor<1x4x8x8xf32>) -> tensor<1x256xf32>
    %7 = stablehlo.dot_general %6, %arg3, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<1x256xf32>, tensor<256x10xf32>) -> tensor<1x10xf32>
    %8 = stablehlo.broadcast_in_dim %arg2, dims = [1] : (tensor<10xf32>) -> tensor<1x10xf32>
    %9 = stablehlo.add %7, %8 : tensor<1x10xf32>
    return %9 : tensor<1x10xf32>
  }
  func.func private @relu(%arg0: tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32> {
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %0 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<1x4x8x8xf32>
    %1 = stablehlo.maximum %arg0, %0 : tensor<1x4x8x8xf32>
    return %1 : tensor<1x4x8x8xf32>
  }
}
