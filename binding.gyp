{
  "targets": [
    {
      "target_name": "athanor_native",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake_build",
          "message": "building the native addon with CMake",
          "inputs": ["CMakeLists.txt", "scripts/build-native.js"],
          # Never written, so that CMake, which is incremental itself, always runs.
          "outputs": ["<(SHARED_INTERMEDIATE_DIR)/never-written"],
          "msvs_cygwin_shell": 0,
          "action": ["node", "scripts/build-native.js", "--config=<(CONFIGURATION_NAME)", "--arch=<(target_arch)"]
        }
      ]
    }
  ]
}
