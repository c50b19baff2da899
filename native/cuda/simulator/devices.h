// What a machine of the simulator has.
#pragma once

namespace athanor {
namespace simulator {

constexpr int kDevices = 2;  // so that moving between devices is tested, and what belongs to which

}  // namespace simulator
}  // namespace athanor
